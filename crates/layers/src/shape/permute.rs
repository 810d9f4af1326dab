//! Axes in another order.

use chainrule_core::{Plan, ShapeError, describe};
use chainrule_tensor::Shape;

use super::offsets::{Offsets, strides};
use super::rearrangement::{Rearrangement, checked_shape, rearrangement_layer};

/// Puts the axes in another order: axis `i` of the output is axis `axes[i]` of the input, counted from 0 without the batch. `[1, 0]`
/// transposes a matrix; Keras counts from 1.
#[derive(Clone, Debug)]
pub struct Permute {
    axes: Vec<usize>,
}

describe! {
    /// The axes in another order.
    Permute = "permute";
    settings {
        /// The axes in their new order, counted from 0.
        axes ("dims"): required;
    }
}

impl Permute {
    /// In this order.
    pub fn new(axes: impl IntoIterator<Item = usize>) -> Self {
        Self { axes: axes.into_iter().collect() }
    }
}

impl Rearrangement for Permute {
    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..input.len()) {
            let help = format!("name each axis from 0 to {} once", input.len().saturating_sub(1));
            return Err(plan.error(input, &format!("samples with the axes {:?}", self.axes), &help));
        }
        let axes: Vec<usize> = self.axes.iter().map(|&axis| input[axis]).collect();
        checked_shape(&axes, input, plan)
    }

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        let strides = strides(input);
        Offsets::permutation(output, |axis, at| at * strides[self.axes[axis]])
    }
}

rearrangement_layer!([] Permute);
