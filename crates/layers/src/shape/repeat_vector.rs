//! A vector repeated as a sequence.

use chainrule_core::{Plan, ShapeError, describe};
use chainrule_tensor::Shape;

use super::offsets::Offsets;
use super::rearrangement::{Rearrangement, checked_shape, rearrangement_layer};

/// Repeats a vector, `[features]` to `[times, features]`, for example as the input of a decoder (Keras' `RepeatVector`).
#[derive(Clone, Copy, Debug)]
pub struct RepeatVector {
    times: usize,
}

describe! {
    /// A vector several times, as a sequence.
    RepeatVector = "repeat_vector";
    settings {
        /// How many times.
        times ("n"): required;
    }
}

impl RepeatVector {
    /// Repeated this many times.
    pub fn new(times: usize) -> Self {
        Self { times }
    }
}

impl Rearrangement for RepeatVector {
    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let &[features] = &*input else {
            return Err(plan.error(input, "a vector, [features]", "put Flatten before it"));
        };
        checked_shape(&[self.times, features], input, plan)
    }

    fn offsets(&self, _: Shape, output: Shape) -> Offsets {
        Offsets::new(output, 0.0, |axis, at| Some(if axis == 1 { at } else { 0 }))
    }
}

rearrangement_layer!([] RepeatVector);
