//! Shrinkage: activations that set small values to 0 or move values towards 0.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, one_if};

activation_layers!(HardShrink SoftShrink TanhShrink);

/// `z` where `|z| > λ`, else 0; λ is 0.5 by default.
#[derive(Clone, Copy, Debug)]
pub struct HardShrink {
    lambda: f64,
}

describe! {
    /// 0 for small inputs.
    HardShrink = "hard_shrink";
    formula "a = z where |z| > λ, else 0";
    settings {
        /// The largest magnitude that becomes 0.
        lambda ("lambd", "threshold"): 0.5, Range::NOT_NEGATIVE;
    }
}

/// `sign(z) max(|z| - λ, 0)`: moves `z` towards 0 by λ; λ is 0.5 by default.
#[derive(Clone, Copy, Debug)]
pub struct SoftShrink {
    lambda: f64,
}

describe! {
    /// The input, nearer to 0.
    SoftShrink = "soft_shrink";
    formula "a = sign(z) max(|z| - λ, 0)";
    settings {
        /// How much nearer.
        lambda ("lambd", "threshold"): 0.5, Range::NOT_NEGATIVE;
    }
}

macro_rules! with_lambda {
    ($($name:ident)*) => {$(
        impl $name {
            /// With this λ.
            pub fn new(lambda: f64) -> Self {
                Self { lambda }
            }

            fn check(self) -> Result<(), &'static str> {
                if self.lambda >= 0.0 { Ok(()) } else { Err("a lambda of at least 0") }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0.5)
            }
        }
    )*};
}
with_lambda!(HardShrink SoftShrink);

impl<T: Real> Activation<T> for HardShrink {
    #[inline(always)]
    fn value(self, z: T) -> T {
        if z.abs() <= T::of(self.lambda) { T::zero() } else { z }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        one_if(z.abs() > T::of(self.lambda))
    }

    fn settings(self) -> Result<(), &'static str> {
        self.check()
    }

    described!();
}

impl<T: Real> Activation<T> for SoftShrink {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let lambda = T::of(self.lambda);
        if z.abs() <= lambda { T::zero() } else { z - lambda.copysign(z) }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        one_if(z.abs() > T::of(self.lambda))
    }

    fn settings(self) -> Result<(), &'static str> {
        self.check()
    }

    described!();
}

/// `z - tanh z`.
#[derive(Clone, Copy, Debug, Default)]
pub struct TanhShrink;

describe! {
    /// What tanh takes from its input.
    TanhShrink = "tanh_shrink";
    formula "a = z - tanh(z)";
}

impl<T: Real> Activation<T> for TanhShrink {
    #[inline(always)]
    fn value(self, z: T) -> T {
        z - z.fast_tanh()
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let tanh = z.fast_tanh();
        tanh * tanh
    }

    described!();
}
