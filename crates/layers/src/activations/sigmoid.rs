//! Smooth activations that saturate on both sides.

use chainrule_core::{describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, clip};

activation_layers!(Sigmoid Tanh Softsign);

/// The logistic sigmoid, `1 / (1 + e⁻ᶻ)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sigmoid;

describe! {
    /// The logistic sigmoid.
    Sigmoid = "sigmoid";
    formula "a = 1 / (1 + e⁻ᶻ)";
}

impl<T: Real> Activation<T> for Sigmoid {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z.fast_sigmoid()
    }

    #[inline(always)]
    fn derivative(self, _: T, a: T) -> T {
        a * (T::one() - a)
    }

    described!();
}

/// The hyperbolic tangent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tanh;

describe! {
    /// The hyperbolic tangent.
    Tanh = "tanh";
    formula "a = tanh(z)";
}

impl<T: Real> Activation<T> for Tanh {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z.fast_tanh()
    }

    #[inline(always)]
    fn derivative(self, _: T, a: T) -> T {
        T::one() - a * a
    }

    described!();
}

/// `z / (1 + |z|)`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Softsign;

describe! {
    /// A sigmoid without an exponential.
    Softsign = "softsign";
    formula "a = z / (1 + |z|)";
}

impl<T: Real> Activation<T> for Softsign {
    #[inline(always)]
    fn value(self, z: T) -> T {
        // Without infinities, whose quotient is NaN.
        let z = clip(z, T::min_value(), T::max_value());
        z / (T::one() + z.abs())
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let root = T::one() / (T::one() + z.abs());
        root * root
    }

    described!();
}
