//! Padding that is filled with some value.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::steps;

/// Turns steps whose values all equal one value into zeros, which the layers behind it that are
/// [`masked`](super::Recurrent::masked) take for padding; passes the others (Keras' `Masking`). Samples are
/// `[steps, ...]`.
#[derive(Clone, Copy, Debug)]
pub struct Masking {
    value: f64,
}

impl Masking {
    /// Steps that are filled with `value` are padding.
    pub fn new(value: f64) -> Self {
        Self { value }
    }

    /// Copies the steps of `from`, but zeros where those of `x` are filled with the value.
    fn pass<T: Real>(
        self,
        x: ArrayView2<'_, T>,
        from: ArrayView2<'_, T>,
        mut to: ArrayViewMut2<'_, T>,
        width: usize,
    ) {
        let value = T::of(self.value);
        for ((x, from), mut to) in x.rows().into_iter().zip(from.rows()).zip(to.rows_mut()) {
            for start in (0..x.len()).step_by(width) {
                let step = s![start..start + width];
                match x.slice(step).iter().all(|&x| x == value) {
                    true => to.slice_mut(step).fill(T::zero()),
                    false => to.slice_mut(step).assign(&from.slice(step)),
                }
            }
        }
    }
}

impl<T: Real> Layer<T> for Masking {
    /// How many values a step has.
    type Cache = usize;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, usize), ShapeError> {
        let (_, step) = steps(input, plan)?;
        match step.size() {
            0 => Err(plan.error(input, "steps with at least one value", "no axis can be 0")),
            width => Ok((input, width)),
        }
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, usize>) {
        self.pass(x, x, y, *cache);
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, usize>) {
        if let Some(dx) = dx {
            self.pass(x, dy, dx, *cache);
        }
    }
}
