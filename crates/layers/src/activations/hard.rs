//! Piecewise linear and quadratic approximations of smooth activations.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, clip, one_if};

activation_layers!(HardSigmoid HardSwish HardTanh);

/// `min(max(z + 3, 0), 6) / 6`, as in PyTorch and Keras 3 (Keras 2 used a slope of 0.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct HardSigmoid;

describe! {
    /// A sigmoid of three straight lines.
    HardSigmoid = "hard_sigmoid";
    formula "a = min(max(z / 6 + ½, 0), 1)";
}

impl<T: Real> Activation<T> for HardSigmoid {
    #[inline(always)]
    fn value(self, z: T) -> T {
        clip(z + T::of(3.0), T::zero(), T::of(6.0)) / T::of(6.0)
    }

    #[inline(always)]
    fn derivative(self, _: T, a: T) -> T {
        if (a > T::zero()) & (a < T::one()) { T::of(1.0 / 6.0) } else { T::zero() }
    }

    described!();
}

/// `z min(max(z + 3, 0), 6) / 6` (Howard et al. 2019, "MobileNetV3"); Keras' `hard_silu` and `hard_swish`.
#[derive(Clone, Copy, Debug, Default)]
pub struct HardSwish;

describe! {
    /// A swish of polynomials.
    HardSwish = "hard_swish";
    aliases ["hard_silu"];
    formula "a = z min(max(z / 6 + ½, 0), 1)";
    source "Howard et al. 2019";
}

impl<T: Real> Activation<T> for HardSwish {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let inside = z * (z + T::of(3.0)) / T::of(6.0);
        let below = if z <= T::of(-3.0) { T::zero() } else { inside };
        if z >= T::of(3.0) { z } else { below }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let inside = z / T::of(3.0) + T::of(0.5);
        let below = if z <= T::of(-3.0) { T::zero() } else { inside };
        if z >= T::of(3.0) { T::one() } else { below }
    }

    described!();
}

/// `min(max(z, low), high)`, from -1 to 1 by default. Its derivative at both ends is 0, as in PyTorch.
#[derive(Clone, Copy, Debug)]
pub struct HardTanh {
    low: f64,
    high: f64,
}

describe! {
    /// The input between two limits.
    HardTanh = "hard_tanh";
    formula "a = min(max(z, low), high)";
    settings {
        /// The lower limit.
        low ("min_val"): -1.0, Range::ANY;
        /// The upper limit.
        high ("max_val"): 1.0, Range::ANY;
    }
}

impl HardTanh {
    /// With these limits.
    pub fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }
}

impl Default for HardTanh {
    fn default() -> Self {
        Self::new(-1.0, 1.0)
    }
}

impl<T: Real> Activation<T> for HardTanh {
    #[inline(always)]
    fn value(self, z: T) -> T {
        clip(z, T::of(self.low), T::of(self.high))
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        one_if((z > T::of(self.low)) & (z < T::of(self.high)))
    }

    fn settings(self) -> Result<(), &'static str> {
        if self.low < self.high { Ok(()) } else { Err("a low limit below the high limit") }
    }

    described!();
}
