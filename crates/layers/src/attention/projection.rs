//! A dense layer applied to each step.

use std::sync::Arc;

use chainrule_core::{Grads, Initializer, Params, Plan, ShapeError};
use chainrule_tensor::{Real, gemm, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::sequences::operations;

/// `Y = X W + b` with a row for each step: `X` of shape `[rows * steps, inputs]`, `W` of `[inputs, units]` and, with `bias`, `b`
/// of `[units]`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Projection {
    pub(super) inputs: usize,
    pub(super) units: usize,
    pub(super) bias: bool,
}

impl Projection {
    /// The number of parameters.
    pub(super) fn size(self) -> usize {
        self.inputs * self.units + if self.bias { self.units } else { 0 }
    }

    /// Declares the parameters and the operations for this number of `steps`.
    pub(super) fn plan(
        self,
        [weight, bias]: [&str; 2],
        steps: usize,
        fans: (usize, usize),
        [weights, biases]: [&Arc<dyn Initializer>; 2],
        plan: &mut Plan,
    ) -> Result<(), ShapeError> {
        plan.weight(weight, [self.inputs, self.units], fans, weights)?;
        if self.bias {
            plan.bias(bias, [self.units], fans, biases)?;
        }
        plan.flops(operations([2, steps, self.inputs, self.units]));
        Ok(())
    }

    pub(super) fn forward<T: Real>(
        self,
        mut params: Params<'_, T>,
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
    ) {
        let w = params.take([self.inputs, self.units]);
        gemm(T::one(), x, w, T::zero(), y.view_mut()); //   Y = X W
        if self.bias {
            let b = params.take([self.units]);
            vector::add_to_rows(b, y); //                   Y += b
        }
    }

    /// Adds the gradients of the parameters.
    pub(super) fn backward_weights<T: Real>(
        self,
        mut grads: Grads<'_, T>,
        x: ArrayView2<'_, T>,
        dy: ArrayView2<'_, T>,
    ) {
        grads.product(x, dy); //                            dW = Xᵀ dY
        if self.bias {
            let db = grads.take([self.units]);
            vector::sum_rows(dy, db); //                    db = Σ rows of dY
        }
    }

    /// `dX = dY Wᵀ + beta dX`: the gradient of the input.
    pub(super) fn backward_data<T: Real>(
        self,
        mut params: Params<'_, T>,
        dy: ArrayView2<'_, T>,
        beta: T,
        dx: ArrayViewMut2<'_, T>,
    ) {
        let w = params.take([self.inputs, self.units]);
        gemm(T::one(), dy, w.t(), beta, dx); //             dX = dY Wᵀ
    }
}
