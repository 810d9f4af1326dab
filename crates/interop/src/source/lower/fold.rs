//! A scale and a shift behind a layer with weights are part of its weights.

use crate::source::program::{Argument, Array, Program, Step};

/// Moves them there, where nothing else reads what is between.
pub(super) fn scales(program: &mut Program) {
    let mut index = 0;
    while index < program.steps.len() {
        if fold(program, index).is_some() {
            program.steps.remove(index);
        } else {
            index += 1;
        }
    }
}

/// Folds a step into the one before it, if that is possible.
fn fold(program: &mut Program, index: usize) -> Option<()> {
    let Step { function: "scale_shift", inputs, arguments, output, .. } = &program.steps[index] else {
        return None;
    };
    let [Argument::Constant(scale), Argument::Constant(shift), Argument::Count(inner)] = arguments[..] else {
        return None;
    };
    let (between, output) = (*inputs.first()?, *output);
    let producer = program.producer(between)?;
    if program.uses(between) != 1 {
        return None;
    }
    let step = &program.steps[producer];
    let [Argument::Constant(weight), Argument::Constant(bias), ..] = step.arguments[..] else { return None };
    let [scale, shift, weights, biases] = [scale, shift, weight, bias]
        .map(|index| program.constants[index].array.floats().map(<[f32]>::to_vec));
    let (scale, shift, weights, biases) = (scale?, shift?, weights?, biases?);
    let values = match step.function {
        "dense" => 1,
        "conv" => program.slots[between].count / biases.len(),
        _ => return None,
    };
    if scale.len() != biases.len() || inner != values {
        return None;
    }
    let size = weights.len() / biases.len();
    let product = |a: f32, b: f32| (f64::from(a) * f64::from(b)) as f32;
    let weights = weights.iter().enumerate().map(|(index, w)| product(*w, scale[index / size])).collect();
    let biases = biases.iter().zip(&scale).zip(&shift);
    let biases = biases.map(|((b, s), t)| (f64::from(*b) * f64::from(*s) + f64::from(*t)) as f32).collect();
    let names = [weight, bias].map(|index| program.constants[index].name.clone());
    let weight = program.constant(&names[0], Array::Floats(weights));
    let bias = program.constant(&names[1], Array::Floats(biases));
    let step = &mut program.steps[producer];
    step.arguments[0] = Argument::Constant(weight);
    step.arguments[1] = Argument::Constant(bias);
    step.output = output;
    Some(())
}
