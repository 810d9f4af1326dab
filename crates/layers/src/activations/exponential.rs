//! The exponential.

use chainrule_core::{describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers};

activation_layers!(Exponential);

/// `eᶻ`, Keras' `exponential`: for positive outputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exponential;

describe! {
    /// The exponential function.
    Exponential = "exponential";
    aliases ["exp"];
    formula "a = eᶻ";
}

impl<T: Real> Activation<T> for Exponential {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z.fast_exp()
    }

    #[inline(always)]
    fn derivative(self, _: T, a: T) -> T {
        a
    }

    described!();
}
