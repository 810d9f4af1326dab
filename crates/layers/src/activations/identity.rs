//! The identity.

use chainrule_core::{Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape};

use super::Activation;

/// `a = z`: a placeholder where an activation is expected. A `Sequential` skips it, so it costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity;

describe! {
    /// The input itself.
    Identity = "identity";
    formula "a = z";
}

impl<T: Real> Activation<T> for Identity {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z
    }

    #[inline(always)]
    fn derivative(self, _: T, _: T) -> T {
        T::one()
    }

    described!();
}

impl<T: Real> Layer<T> for Identity {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    described!();

    identity_passes!();
}
