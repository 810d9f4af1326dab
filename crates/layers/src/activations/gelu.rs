//! The Gaussian error linear unit.

use chainrule_core::{describe, described};
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use chainrule_tensor::Real;

use super::{Activation, activation_layers, bounded, bounded_below};

activation_layers!(Gelu GeluTanh);

/// `z Φ(z)`, Φ the distribution function of the standard normal distribution (Hendrycks and Gimpel 2016): the exact
/// form, PyTorch's and Keras' default. [`GeluTanh`] is the approximation that many published transformers use.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gelu;

describe! {
    /// The Gaussian error linear unit.
    Gelu = "gelu";
    formula "a = z Φ(z)";
    source "Hendrycks and Gimpel 2016";
}

/// `Φ(z) = ½ erfc(-z/√2)`, which is accurate in the lower tail.
#[inline(always)]
fn phi<T: Real>(z: T) -> T {
    T::of(0.5) * (z * T::of(-FRAC_1_SQRT_2)).fast_erfc()
}

impl<T: Real> Activation<T> for Gelu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        bounded_below(z) * phi(z)
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let z = bounded(z);
        // Φ'(z) = exp(-z²/2) / √(2π).
        let density = (T::of(-0.5) * z * z).fast_exp() * T::of(0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
        phi(z) + z * density
    }

    described!();
}

/// `½ z (1 + tanh u)` with `u = √(2/π) (z + 0.044715 z³)` (Hendrycks and Gimpel 2016): PyTorch's
/// `GELU(approximate="tanh")`.
#[derive(Clone, Copy, Debug, Default)]
pub struct GeluTanh;

describe! {
    /// The Gaussian error linear unit with the approximation by tanh.
    GeluTanh = "gelu_tanh";
    aliases ["gelu_approximate"];
    formula "a = ½ z (1 + tanh(√(2/π) (z + 0.044715 z³)))";
    source "Hendrycks and Gimpel 2016";
}

impl GeluTanh {
    /// `2 √(2/π)`.
    const TWICE: f64 = 2.0 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
    const CUBIC: f64 = 0.044715;

    /// `½ (1 + tanh u) = 1 / (1 + e⁻²ᵘ)`.
    #[inline(always)]
    fn gate<T: Real>(z: T) -> T {
        (T::of(Self::TWICE) * z * (T::one() + T::of(Self::CUBIC) * z * z)).fast_sigmoid()
    }
}

impl<T: Real> Activation<T> for GeluTanh {
    #[inline(always)]
    fn value(self, z: T) -> T {
        bounded_below(z) * Self::gate(z)
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let z = bounded(z);
        let g = Self::gate(z);
        let twice_du = T::of(Self::TWICE) * (T::one() + T::of(3.0 * Self::CUBIC) * z * z);
        g + z * g * (T::one() - g) * twice_du
    }

    described!();
}
