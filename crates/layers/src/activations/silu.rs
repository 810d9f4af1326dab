//! Self-gated activations, `z` times a smooth gate of `z`; [`Gelu`](super::Gelu) is another.

use chainrule_core::{describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, bounded, bounded_below};

activation_layers!(Silu Mish);

/// `z σ(z)`, σ the logistic sigmoid, the sigmoid linear unit (Elfwing et al. 2017); also Swish (Ramachandran et al.
/// 2017).
#[derive(Clone, Copy, Debug, Default)]
pub struct Silu;

describe! {
    /// The sigmoid linear unit, also swish.
    Silu = "silu";
    aliases ["swish"];
    formula "a = z σ(z)";
    source "Elfwing et al. 2017";
}

impl<T: Real> Activation<T> for Silu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        bounded_below(z) * z.fast_sigmoid()
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let z = bounded(z);
        let s = z.fast_sigmoid();
        s + z * s * (T::one() - s)
    }

    described!();
}

/// `z tanh(ln(1 + eᶻ))` (Misra 2019).
#[derive(Clone, Copy, Debug, Default)]
pub struct Mish;

describe! {
    /// A smooth unit like swish.
    Mish = "mish";
    formula "a = z tanh(ln(1 + eᶻ))";
    source "Misra 2019";
}

impl Mish {
    /// `w = eᶻ` and `n = w (w + 2)`, with which `tanh(ln(1 + w)) = n / (n + 2)`; above 20 that is 1.
    #[inline(always)]
    fn parts<T: Real>(z: T) -> (T, T) {
        let limit = T::of(20.0);
        let w = (if z > limit { limit } else { z }).fast_exp();
        (w, w * (w + T::of(2.0)))
    }
}

impl<T: Real> Activation<T> for Mish {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let (_, n) = Self::parts(z);
        bounded_below(z) * (n / (n + T::of(2.0)))
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let z = bounded(z);
        let (w, n) = Self::parts(z);
        let m = n + T::of(2.0);
        // The derivative of n / m is 2 n' / m², and n' = 2 w (w + 1).
        let gate = T::of(4.0) * w * (w + T::one()) / (m * m);
        let far = if z > T::of(20.0) { T::zero() } else { z * gate };
        n / m + far
    }

    described!();
}
