//! Axes in another order, and vectors many times.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{MAX_RANK, Shape};

use super::moves::{Moves, Runs, moves, shape};

/// Axes in another order: axis `i` of the output is axis `axes[i]` of the input, counted from 0 without the batch. `[1, 0]`
/// transposes a matrix; Keras counts from 1.
#[derive(Clone, Debug)]
pub struct Permute {
    axes: Vec<usize>,
}

impl Permute {
    /// In this order.
    pub fn new(axes: impl IntoIterator<Item = usize>) -> Self {
        Self { axes: axes.into_iter().collect() }
    }
}

impl Moves for Permute {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.into_iter().eq(0..input.len()) {
            let help = format!("name each axis from 0 to {} once", input.len().saturating_sub(1));
            return Err(plan.error(input, &format!("samples with the axes {:?}", self.axes), &help));
        }
        let axes: Vec<usize> = self.axes.iter().map(|&axis| input[axis]).collect();
        shape(&axes, input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        Runs::new(input, output, 0.0, |place| {
            let mut from = [0; MAX_RANK];
            self.axes.iter().zip(place).for_each(|(&axis, &at)| from[axis] = at);
            Some(from)
        })
    }
}

/// A vector `[features]` as a sequence `[times, features]` of itself, as what a decoder is fed with.
#[derive(Clone, Copy, Debug)]
pub struct RepeatVector {
    times: usize,
}

impl RepeatVector {
    /// So many times.
    pub fn new(times: usize) -> Self {
        Self { times }
    }
}

impl Moves for RepeatVector {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let &[features] = &*input else {
            return Err(plan.error(input, "a vector, [features]", "put Flatten before it"));
        };
        shape(&[self.times, features], input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        Runs::new(input, output, 0.0, |place| Some([place[1], 0, 0, 0, 0, 0]))
    }
}

moves! {
    [] Permute;
    [] RepeatVector;
}
