//! Weights of 8 bits, one scale for each unit or channel, after training.
//!
//! Weights are rounded to 255 steps. What they multiply is rounded to 16 bits, in steps of what samples for calibration reach, or fewer
//! where a sum of so many terms could leave 32 bits. So a sum is exact, and next to all of the error is that of the weights. (The
//! scheme of 16-bit activations and 8-bit weights is that of TensorFlow Lite's "16x8".)

use super::program::{Argument, Array, Program, Step};
use super::run;

/// The largest multiple of a weight's step.
const LIMIT: f64 = 127.0;

/// The largest absolute value of each step's first input.
fn reached(program: &Program, samples: &[f32]) -> Vec<f32> {
    let mut reached = vec![0.0f32; program.steps.len()];
    for sample in samples.chunks_exact(program.slots[0].count) {
        run::run(program, sample, |step, x| {
            reached[step] = x.iter().fold(reached[step], |largest, value| largest.max(value.abs()));
        });
    }
    reached
}

/// The program with rounded weights.
pub(super) fn quantized(mut program: Program, samples: &[f32]) -> Program {
    let reached = reached(&program, samples);
    let mut steps = std::mem::take(&mut program.steps);
    for (step, reached) in steps.iter_mut().zip(reached) {
        quantize(&mut program, step, reached);
    }
    program.steps = steps;
    program.without_unused()
}

/// The steps of a value of which so many are added up: the inverse of a step, and the limit, by the largest value.
fn steps_of(terms: usize, largest: f32) -> [f32; 2] {
    let limit = (f64::from(i32::MAX) / (LIMIT * terms as f64)).clamp(1.0, f64::from(i16::MAX)).floor();
    let largest = if largest > 0.0 { f64::from(largest) } else { 1.0 };
    [(limit / largest) as f32, limit as f32]
}

fn quantize(program: &mut Program, step: &mut Step, reached: f32) {
    use Argument::{Constant, Count, Flag, Pair, Pairs, Rounded, Window};
    match (step.function, &step.arguments[..]) {
        ("dense", &[Constant(weight), bias, Count(inputs)]) => {
            let steps = steps_of(inputs, reached);
            let [bytes, scales] = rounded(program, weight, inputs, steps[0]);
            step.function = "dense_q";
            step.arguments = vec![bytes, scales, bias, Count(inputs), Pair(steps), Rounded(inputs)];
        }
        ("conv", &[Constant(weight), bias, Window(window), groups @ Count(count)]) => {
            let terms = window.channels / count * window.kernel[0] * window.kernel[1];
            let steps = steps_of(terms, reached);
            let [bytes, scales] = rounded(program, weight, terms, steps[0]);
            let size = window.channels * window.size[0] * window.size[1];
            step.function = "conv_q";
            step.arguments = vec![bytes, scales, bias, Window(window), groups, Pair(steps), Rounded(size)];
        }
        ("embedding", &[Constant(table), Count(size)]) => {
            let [bytes, scales] = rounded(program, table, size, 1.0);
            step.function = "embedding_q";
            step.arguments = vec![bytes, scales, Count(size)];
        }
        (
            "lstm" | "gru",
            &[
                Constant(weight),
                Constant(recurrent),
                ref biases @ ..,
                Count(inputs),
                Count(steps),
                Count(keep),
                Flag(backwards),
            ],
        ) => {
            let gates = if step.function == "lstm" { 4 } else { 3 };
            let units = program.constants[weight].array.len() / inputs / gates;
            // A state is a product of numbers between -1 and 1.
            let both = [steps_of(inputs, reached), steps_of(units, 1.0)];
            let [bytes, scales] = rounded(program, weight, inputs, both[0][0]);
            let [state_bytes, state_scales] = rounded(program, recurrent, units, both[1][0]);
            let last = [
                Count(inputs),
                Count(steps),
                Count(keep),
                Flag(backwards),
                Pairs(both),
                Rounded(inputs + units),
            ];
            step.function = if step.function == "lstm" { "lstm_q" } else { "gru_q" };
            let first = [bytes, state_bytes, scales, state_scales].into_iter().chain(biases.iter().copied());
            step.arguments = first.chain(last).collect();
        }
        _ => {}
    }
}

/// The rows of a constant as bytes, and what a sum of a row is to be multiplied with.
fn rounded(program: &mut Program, index: usize, columns: usize, inverse: f32) -> [Argument; 2] {
    let name = program.constants[index].name.clone();
    let values = program.constants[index].array.floats().unwrap_or_default();
    let mut bytes = Vec::new();
    let mut scales = Vec::new();
    for row in values.chunks(columns) {
        let largest = row.iter().fold(0.0f64, |largest, value| largest.max(f64::from(value.abs())));
        let scale = if largest > 0.0 { largest / LIMIT } else { 1.0 };
        bytes.extend(row.iter().map(|value| (f64::from(*value) / scale).round() as i8));
        scales.push((scale / f64::from(inverse)) as f32);
    }
    let scales = program.constant(&format!("scales_of_{name}"), Array::Floats(scales));
    let bytes = program.constant(&name, Array::Bytes(bytes));
    [bytes, scales].map(Argument::Constant)
}
