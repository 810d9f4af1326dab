//! Softplus, `a = ln(1 + eᶻ)`, in a crate outside of the workspace.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, map};

#[derive(Debug)]
pub struct Softplus;

impl<T: Real> Layer<T> for Softplus {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, y, .. }: Forward<'_, T>) {
        let positive = |z: T| if z > T::zero() { z } else { T::zero() };
        map!(y = |z: x| positive(z) + (-z.abs()).fast_exp().fast_ln_1p());
    }

    fn backward(&self, Backward { x, dy, dx, .. }: Backward<'_, T>) {
        let Some(dx) = dx else { return };
        map!(dx = |z: x, da: dy| da * z.fast_sigmoid());
    }
}

#[test]
fn its_gradient() {
    chainrule_core::gradcheck::gradients(&Softplus, [5]).unwrap();
}
