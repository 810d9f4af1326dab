//! Masking of steps that are filled with some value.

use chainrule_core::{Backward, Forward, Layer, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::steps::split_steps;

/// Sets steps whose values all equal one value to 0, which the [`masked`](crate::Recurrent::masked) layers after it treat
/// as padding; passes the others (Keras' `Masking`). Samples are `[steps, ...]`.
#[derive(Clone, Copy, Debug)]
pub struct Masking {
    value: f64,
}

describe! {
    /// Sets steps whose values are all one number to 0, which is padding.
    Masking = "masking";
    settings {
        /// The number.
        value ("mask_value"): 0.0, Range::FINITE;
    }
}

impl Masking {
    /// Steps that are filled with `value` are padding.
    pub fn new(value: f64) -> Self {
        Self { value }
    }

    /// Copies the steps of `from`, but writes zeros where those of `x` are filled with the value.
    fn mask<T: Real>(
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
                if x.slice(step).iter().all(|&x| x == value) {
                    to.slice_mut(step).fill(T::zero());
                } else {
                    to.slice_mut(step).assign(&from.slice(step));
                }
            }
        }
    }
}

impl<T: Real> Layer<T> for Masking {
    /// The number of values of a step.
    type Cache = usize;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, usize), ShapeError> {
        let (_, step) = split_steps(input, plan)?;
        match step.size() {
            0 => Err(plan.error(input, "steps with at least one value", "no axis can be 0")),
            width => Ok((input, width)),
        }
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, usize>) {
        self.mask(x, x, y, *cache);
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, usize>) {
        if let Some(dx) = dx {
            self.mask(x, dy, dx, *cache);
        }
    }
}
