//! The exponential.

use chainrule_tensor::Real;

use super::Activation;

/// `eᶻ`, Keras' `exponential`: for outputs that are positive.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exponential;

impl<T: Real> Activation<T> for Exponential {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z.fast_exp()
    }

    #[inline(always)]
    fn slope(self, _: T, a: T) -> T {
        a
    }
}
