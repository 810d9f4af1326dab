//! The activation that does nothing.

use chainrule_core::{Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::Activation;

/// `z` as it is. A `Sequential` leaves it out, so it costs nothing; it stands where an activation is expected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

impl<T: Real> Activation<T> for Identity {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z
    }

    #[inline(always)]
    fn slope(self, _: T, _: T) -> T {
        T::one()
    }
}

impl<T: Real> Layer<T> for Identity {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    same_values!();
}
