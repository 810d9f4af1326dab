//! The dense layer of each step by itself.

use std::sync::Arc;

use chainrule_layer::{Backward, Forward, Initializer, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Grads, Params, Real, Shape, gemm, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::steps::{overwrite, packed, packed_before, products, sequence};
use crate::init::FanInUniform;

/// `Y = X W + b` with a row for each step: `X` of shape `[rows * steps, inputs]`, `W` of `[inputs, units]` and, if there
/// is one, `b` of `[units]`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Affine {
    pub(super) inputs: usize,
    pub(super) units: usize,
    pub(super) bias: bool,
}

impl Affine {
    /// How many parameters it has.
    pub(super) fn size(self) -> usize {
        self.inputs * self.units + if self.bias { self.units } else { 0 }
    }

    /// Declares the parameters, and the operations for so many `steps`.
    pub(super) fn plan(
        self,
        [weight, bias]: [&str; 2],
        steps: usize,
        fans: (usize, usize),
        [weights, biases]: [&Arc<dyn Initializer>; 2],
        plan: &mut Plan,
    ) {
        plan.weight(weight, [self.inputs, self.units], fans, weights);
        if self.bias {
            plan.bias(bias, [self.units], fans, biases);
        }
        plan.flops(products([2, steps, self.inputs, self.units]));
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
    pub(super) fn backward<T: Real>(
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

    /// The gradient of the input, added to `beta` times `dx`.
    pub(super) fn back<T: Real>(
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

/// An [`Affine`] as a layer, `[steps, inputs]` to `[steps, units]`, which starts as PyTorch's `Linear`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    units: usize,
}

impl Steps {
    pub(super) fn new(units: usize) -> Self {
        Self { units }
    }
}

/// What a [`Steps`] remembers: its sizes, and copies of what does not lie in memory row by row.
#[derive(Clone, Debug, Default)]
pub(super) struct Copies<T: Real> {
    affine: Affine,
    x: Buffer<T>,
    y: Buffer<T>,
    dy: Buffer<T>,
}

impl<T: Real> Layer<T> for Steps {
    type Cache = Copies<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Copies<T>), ShapeError> {
        let ([steps, inputs], units) = (sequence(input, plan)?, self.units);
        let (matrix, output) = (Shape::new(&[inputs, units]), Shape::new(&[steps, units]));
        let (Some(_), Some(output), 1..) = (matrix, output, units) else {
            return Err(plan.error(
                input,
                &format!("[steps, features] for {units} units"),
                "choose another size",
            ));
        };
        let affine = Affine { inputs, units, bias: true };
        let init = Arc::new(FanInUniform) as _;
        affine.plan(["weight", "bias"], steps, (inputs, units), [&init, &init], plan);
        Ok((output, Copies { affine, x: Buffer::default(), y: Buffer::default(), dy: Buffer::default() }))
    }

    fn forward(&self, Forward { params, x, y, cache, .. }: Forward<'_, T, Copies<T>>) {
        let Copies { affine, x: copy, y: copy_of_y, .. } = cache;
        let x = packed(x, affine.inputs, copy);
        overwrite(y, affine.units, copy_of_y, |y| affine.forward(params, x, y));
    }

    fn backward(&self, Backward { params, grads, x, dy, dx, cache, .. }: Backward<'_, T, Copies<T>>) {
        let Copies { affine, x: copy, y: copy_of_dx, dy: copy_of_dy } = cache;
        let dy = packed(dy, affine.units, copy_of_dy);
        affine.backward(grads, packed_before(x, affine.inputs, copy), dy);
        if let Some(dx) = dx {
            overwrite(dx, affine.inputs, copy_of_dx, |dx| affine.back(params, dy, T::zero(), dx));
        }
    }
}
