//! A program on one sample, by the functions that an exported file has: what calibration sees.

use super::kernels::{moves, pooling, products, recurrent, rows, units};
use super::program::{Argument, Program, Step};

/// A function of a value and two settings.
type Unit = fn(f32, [f32; 2]) -> f32;

/// Runs the steps, and shows each of them with its first input.
pub(super) fn run(program: &Program, sample: &[f32], mut see: impl FnMut(usize, &[f32])) {
    let mut values: Vec<Vec<f32>> =
        program.slots.iter().map(|slot| vec![0.0; slot.count + slot.room]).collect();
    values[0].copy_from_slice(sample);
    for (index, step) in program.steps.iter().enumerate() {
        let input =
            step.inputs.first().map_or(&[][..], |&input| &values[input][..program.slots[input].count]);
        see(index, input);
        let mut y = std::mem::take(&mut values[step.output]);
        if step.in_place {
            let count = y.len();
            y.copy_from_slice(&values[step.inputs[0]][..count]);
        }
        let read = step.read().first().map_or(&[][..], |&input| &values[input][..program.slots[input].count]);
        call(program, step, read, &mut y);
        values[step.output] = y;
    }
}

fn call(program: &Program, step: &Step, x: &[f32], y: &mut [f32]) {
    use Argument::{Constant, Count, Flag, Number, Window};
    let floats = |index: usize| program.constants[index].array.floats().unwrap_or_default();
    match (step.function, &step.arguments[..]) {
        ("dense", &[Constant(w), Constant(b), Count(inputs)]) => {
            products::dense(x, floats(w), floats(b), inputs, y)
        }
        ("conv", &[Constant(w), Constant(b), Window(ref window), Count(groups)]) => {
            products::conv(x, floats(w), floats(b), window, groups, y);
        }
        ("embedding", &[Constant(table), Count(size)]) => products::embedding(x, floats(table), size, y),
        ("max_pool", [Window(window)]) => pooling::max_pool(x, window, y),
        ("avg_pool", [Window(window), Flag(padding)]) => pooling::avg_pool(x, window, *padding, y),
        ("means", &[Count(count)]) => pooling::means(x, count, y),
        ("maxima", &[Count(count), Count(inner)]) => pooling::maxima(x, count, inner, y),
        ("apply", &[Argument::Unit(name, settings)]) => units::apply(unit(name), settings, y),
        ("softmax", &[Count(count), Count(inner), Number(sign)]) => rows::softmax(count, inner, sign, y),
        ("log_softmax", &[Count(count)]) => rows::log_softmax(count, y),
        ("normalize", &[Count(count), Number(epsilon)]) => rows::normalize(count, epsilon, y),
        ("rms_normalize", &[Count(count), Number(epsilon)]) => rows::rms_normalize(count, epsilon, y),
        ("scale_shift", &[Constant(s), Constant(t), Count(inner)]) => {
            rows::scale_shift(floats(s), floats(t), inner, y)
        }
        ("prelu", &[Constant(slopes), Count(inner)]) => rows::prelu(floats(slopes), inner, y),
        ("gate", &[Argument::Unit(name, settings), Count(count)]) => {
            rows::gate(x, unit(name), settings, count, y)
        }
        ("add", []) => moves::add(x, y),
        ("subtract", []) => moves::subtract(x, y),
        ("multiply", []) => moves::multiply(x, y),
        ("maximum", []) => moves::maximum(x, y),
        ("minimum", []) => moves::minimum(x, y),
        ("scale", &[Number(factor)]) => moves::scale(factor, y),
        ("slice", &[Count(start)]) => moves::slice(x, start, y),
        ("place", &[Count(start), Count(count), Count(total)]) => moves::place(x, start, count, total, y),
        ("exchange", &[Count(rows), Count(columns), Count(inner)]) => {
            moves::exchange(x, rows, columns, inner, y)
        }
        ("pad", [Window(window), Number(value)]) => moves::pad(x, window, *value, y),
        ("crop", [Window(window)]) => moves::crop(x, window, y),
        ("enlarge", [Window(window)]) => moves::enlarge(x, window, y),
        (
            "lstm",
            &[
                Constant(w),
                Constant(r),
                Constant(b),
                Count(inputs),
                Count(steps),
                Count(keep),
                Flag(backwards),
            ],
        ) => recurrent::lstm(x, floats(w), floats(r), floats(b), inputs, steps, keep, backwards, y),
        (
            "gru",
            &[
                Constant(w),
                Constant(r),
                Constant(b),
                Constant(rb),
                Count(inputs),
                Count(steps),
                Count(keep),
                Flag(backwards),
            ],
        ) => {
            recurrent::gru(x, floats(w), floats(r), floats(b), floats(rb), inputs, steps, keep, backwards, y)
        }
        (
            "rnn",
            &[
                Constant(w),
                Constant(r),
                Constant(b),
                Argument::Unit(name, settings),
                Count(inputs),
                Count(steps),
                Count(keep),
                Flag(backwards),
            ],
        ) => {
            let unit = unit(name);
            recurrent::rnn(
                x,
                floats(w),
                floats(r),
                floats(b),
                unit,
                settings,
                inputs,
                steps,
                keep,
                backwards,
                y,
            );
        }
        (other, arguments) => unreachable!("there is no function {other} of {arguments:?}"),
    }
}

macro_rules! units {
    ($($name:ident)*) => {
        /// The function of this name.
        fn unit(name: &str) -> Unit {
            match name {
                $(stringify!($name) => units::$name,)*
                other => unreachable!("there is no activation {other}"),
            }
        }
    };
}

units! {
    unit_relu unit_leaky_relu unit_relu_squared unit_threshold unit_elu unit_celu unit_exponential unit_gelu unit_gelu_tanh
    unit_hard_sigmoid unit_hard_swish unit_clip unit_hard_shrink unit_soft_shrink unit_tanh_shrink unit_sigmoid unit_tanh
    unit_softsign unit_silu unit_mish unit_softplus unit_log_sigmoid unit_squareplus unit_sparse_plus unit_sparse_sigmoid
}
