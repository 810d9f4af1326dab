//! The rectified linear unit and its variants.

use chainrule_core::{
    Described, DescriptionError, Entry, Range, Settings, Value, describe, described, entry,
};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, clip, is_finite, one_if};

activation_layers!(Relu Relu6 LeakyRelu ReluSquared Threshold ThresholdedRelu);

/// The rectified linear unit, `max(z, 0)`; its derivative at 0 is 0, as in PyTorch and Keras.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu;

describe! {
    /// The rectified linear unit.
    Relu = "relu";
    formula "a = max(z, 0)";
}

impl<T: Real> Activation<T> for Relu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        // NaN is not below 0, so it stays NaN.
        if z < T::zero() { T::zero() } else { z }
    }

    #[inline(always)]
    fn derivative(self, _: T, a: T) -> T {
        one_if(a > T::zero())
    }

    described!();
}

/// `min(max(z, 0), 6)` (Krizhevsky 2010), suited to low precision. Its derivative at 0 and at 6 is 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Relu6;

describe! {
    /// The rectified linear unit, at most 6.
    Relu6 = "relu6";
    formula "a = min(max(z, 0), 6)";
}

impl<T: Real> Activation<T> for Relu6 {
    #[inline(always)]
    fn value(self, z: T) -> T {
        clip(z, T::zero(), T::of(6.0))
    }

    #[inline(always)]
    fn derivative(self, _: T, a: T) -> T {
        one_if((a > T::zero()) & (a < T::of(6.0)))
    }

    described!();
}

/// `z` where it is positive, else `negative_slope z` (Maas et al. 2013). The default is 0.01, as in PyTorch;
/// [`keras`](Self::keras) uses 0.3.
#[derive(Clone, Copy, Debug)]
pub struct LeakyRelu {
    negative_slope: f64,
}

describe! {
    /// A rectified linear unit with a small slope below 0.
    LeakyRelu = "leaky_relu";
    formula "a = z where z > 0, else negative_slope z";
    source "Maas et al. 2013";
    settings {
        /// The slope below 0.
        negative_slope ("alpha"): 0.01, Range::FINITE;
    }
    presets { keras { negative_slope = 0.3 } }
}

impl LeakyRelu {
    /// With this slope for negative values.
    pub fn new(negative_slope: f64) -> Self {
        Self { negative_slope }
    }

    /// With a slope of 0.3, Keras' default.
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
        if z < T::zero() { T::of(self.negative_slope) * z } else { z }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        if z > T::zero() { T::one() } else { T::of(self.negative_slope) }
    }

    fn settings(self) -> Result<(), &'static str> {
        if is_finite::<T>(self.negative_slope) { Ok(()) } else { Err("a finite negative slope") }
    }

    described!();
}

/// `max(z, 0)²` (So et al. 2021, "Primer").
#[derive(Clone, Copy, Debug, Default)]
pub struct ReluSquared;

describe! {
    /// The square of the rectified linear unit.
    ReluSquared = "relu_squared";
    aliases ["squared_relu"];
    formula "a = max(z, 0)²";
    source "So et al. 2021, \"Primer\"";
}

impl<T: Real> Activation<T> for ReluSquared {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let a = if z < T::zero() { T::zero() } else { z };
        a * a
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        if z > T::zero() { z + z } else { T::zero() }
    }

    described!();
}

/// `z` above a threshold, else a constant, as PyTorch's `Threshold`.
#[derive(Clone, Copy, Debug)]
pub struct Threshold {
    threshold: f64,
    value: f64,
}

describe! {
    /// Another value where the input is not above a threshold.
    Threshold = "threshold";
    formula "a = z where z > threshold, else value";
    settings {
        /// The threshold.
        threshold: required, Range::ANY;
        /// The value at and below it.
        value: required, Range::FINITE;
    }
}

impl Threshold {
    /// `z` above `threshold`, else `value`.
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
    fn derivative(self, z: T, _: T) -> T {
        one_if(z > T::of(self.threshold))
    }

    fn settings(self) -> Result<(), &'static str> {
        let finite = is_finite::<T>(self.threshold) && is_finite::<T>(self.value);
        if finite { Ok(()) } else { Err("a finite threshold and value") }
    }

    described!();
}

/// `z` above a threshold, else 0 (Konda et al. 2014); the default threshold is 1.
#[derive(Clone, Copy, Debug)]
pub struct ThresholdedRelu(Threshold);

impl Described for ThresholdedRelu {
    const ENTRY: Entry = entry! {
        /// The input where it is above a threshold, else 0.
        ThresholdedRelu = "thresholded_relu";
        formula "a = z where z > threshold, else 0";
        settings {
            /// The threshold.
            threshold ("theta"): 1.0, Range::FINITE;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("threshold").map(Self::new)
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.0.threshold.into()]
    }
}

impl ThresholdedRelu {
    /// With this threshold.
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
    fn derivative(self, z: T, a: T) -> T {
        self.0.derivative(z, a)
    }

    fn settings(self) -> Result<(), &'static str> {
        Activation::<T>::settings(self.0)
    }

    described!();
}
