//! The rectified linear unit and its relatives: 0, or nearly, up to a threshold.

use chainrule_tensor::Real;

use super::{Activation, clip, one_if};

/// The rectified linear unit, `max(z, 0)`; its derivative at 0 is 0, as in PyTorch and Keras.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu;

impl<T: Real> Activation<T> for Relu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        // NaN is not below 0, so it passes.
        if z < T::zero() { T::zero() } else { z }
    }

    #[inline(always)]
    fn slope(self, _: T, a: T) -> T {
        one_if(a > T::zero())
    }
}

/// `min(max(z, 0), 6)` (Krizhevsky 2010), which low precision holds well. Its derivative at 0 and at 6 is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu6;

impl<T: Real> Activation<T> for Relu6 {
    #[inline(always)]
    fn value(self, z: T) -> T {
        clip(z, T::zero(), T::of(6.0))
    }

    #[inline(always)]
    fn slope(self, _: T, a: T) -> T {
        one_if((a > T::zero()) & (a < T::of(6.0)))
    }
}

/// `z` where it is positive, else `slope z` (Maas et al. 2013). The default slope is 0.01, as in PyTorch;
/// [`keras`](Self::keras) has 0.3.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    slope: f64,
}

impl LeakyRelu {
    /// With another slope for negative values.
    pub fn new(slope: f64) -> Self {
        Self { slope }
    }

    /// With the slope 0.3, Keras' default.
    pub fn keras() -> Self {
        Self::new(0.3)
    }
}

impl Default for LeakyRelu {
    fn default() -> Self {
        Self::new(0.01)
    }
}

impl<T: Real> Activation<T> for LeakyRelu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        if z < T::zero() { T::of(self.slope) * z } else { z }
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        if z > T::zero() { T::one() } else { T::of(self.slope) }
    }

    fn settings(self) -> Result<(), &'static str> {
        if self.slope.is_finite() { Ok(()) } else { Err("a finite slope") }
    }
}

/// `max(z, 0)²` (So et al. 2021, "Primer").
#[derive(Clone, Copy, Debug, Default)]
pub struct ReluSquared;

impl<T: Real> Activation<T> for ReluSquared {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let a = if z < T::zero() { T::zero() } else { z };
        a * a
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        if z > T::zero() { z + z } else { T::zero() }
    }
}

/// `z` above a threshold, else a fixed value, as PyTorch's `Threshold`.
#[derive(Clone, Copy, Debug)]
pub struct Threshold {
    threshold: f64,
    value: f64,
}

impl Threshold {
    /// With this `value` up to the threshold.
    pub fn new(threshold: f64, value: f64) -> Self {
        Self { threshold, value }
    }
}

impl<T: Real> Activation<T> for Threshold {
    #[inline(always)]
    fn value(self, z: T) -> T {
        if z <= T::of(self.threshold) { T::of(self.value) } else { z }
    }

    #[inline(always)]
    fn slope(self, z: T, _: T) -> T {
        one_if(z > T::of(self.threshold))
    }

    fn settings(self) -> Result<(), &'static str> {
        match self.threshold.is_finite() && self.value.is_finite() {
            true => Ok(()),
            false => Err("a finite threshold and value"),
        }
    }
}

/// `z` above a threshold, else 0 (Konda et al. 2014); the default threshold is 1.
#[derive(Clone, Copy, Debug)]
pub struct ThresholdedRelu(Threshold);

impl ThresholdedRelu {
    /// With another threshold.
    pub fn new(threshold: f64) -> Self {
        Self(Threshold::new(threshold, 0.0))
    }
}

impl Default for ThresholdedRelu {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl<T: Real> Activation<T> for ThresholdedRelu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        self.0.value(z)
    }

    #[inline(always)]
    fn slope(self, z: T, a: T) -> T {
        self.0.slope(z, a)
    }

    fn settings(self) -> Result<(), &'static str> {
        Activation::<T>::settings(self.0)
    }
}
