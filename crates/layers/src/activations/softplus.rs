//! Smooth approximations of the rectified linear unit.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, is_positive};

activation_layers!(Softplus LogSigmoid Squareplus);

/// `ln(1 + exp(β z)) / β`, and exactly `z` where `β z` exceeds a threshold; by default β is 1 and the threshold is 20, as in
/// PyTorch. The formula does not overflow without the threshold either.
#[derive(Clone, Copy, Debug)]
pub struct Softplus {
    beta: f64,
    threshold: f64,
}

describe! {
    /// A smooth rectified linear unit.
    Softplus = "softplus";
    formula "a = ln(1 + exp(β z)) / β";
    settings {
        /// How sharp the bend is, β.
        beta: 1.0, Range::POSITIVE;
        /// Where β z exceeds it, a is z.
        threshold: 20.0;
    }
}

impl Softplus {
    /// With this β.
    pub fn new(beta: f64) -> Self {
        Self { beta, threshold: 20.0 }
    }

    /// Sets the threshold.
    #[must_use]
    pub fn threshold(self, threshold: f64) -> Self {
        Self { threshold, ..self }
    }
}

impl Default for Softplus {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl<T: Real> Activation<T> for Softplus {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let scaled = T::of(self.beta) * z;
        let bent = T::of(1.0 / self.beta) * scaled.fast_softplus();
        if scaled > T::of(self.threshold) { z } else { bent }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        let scaled = T::of(self.beta) * z;
        let bent = scaled.fast_sigmoid();
        if scaled > T::of(self.threshold) { T::one() } else { bent }
    }

    fn settings(self) -> Result<(), &'static str> {
        let valid = is_positive::<T>(self.beta) && !self.threshold.is_nan();
        if valid { Ok(()) } else { Err("a positive beta, a threshold") }
    }

    described!();
}

/// `ln σ(z) = -ln(1 + e⁻ᶻ)`, σ the logistic sigmoid.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogSigmoid;

describe! {
    /// The logarithm of the logistic sigmoid.
    LogSigmoid = "log_sigmoid";
    formula "a = -ln(1 + e⁻ᶻ)";
}

impl<T: Real> Activation<T> for LogSigmoid {
    #[inline(always)]
    fn value(self, z: T) -> T {
        -(-z).fast_softplus()
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        (-z).fast_sigmoid()
    }

    described!();
}

/// `(z + √(z² + b)) / 2` (Barron 2021); b is 4 by default, as in Keras.
#[derive(Clone, Copy, Debug)]
pub struct Squareplus {
    b: f64,
}

describe! {
    /// A smooth rectified linear unit without an exponential.
    Squareplus = "squareplus";
    formula "a = (z + √(z² + b)) / 2";
    source "Barron 2021";
    settings {
        /// The width of the bend.
        b: 4.0, Range::POSITIVE;
    }
}

impl Squareplus {
    /// With this `b`, which sets the width of the bend.
    pub fn new(b: f64) -> Self {
        Self { b }
    }

    /// `√(z² + b)`, and the result for `-|z|` without cancellation, because `(√ + z)(√ - z) = b`.
    #[inline(always)]
    fn parts<T: Real>(self, z: T) -> (T, T) {
        let square = z * z + T::of(self.b);
        // Where z² is too large for a number, b changes nothing.
        let root = if square < T::infinity() { square.sqrt() } else { z.abs() };
        (root, T::of(0.5 * self.b) / (root + z.abs()))
    }
}

impl Default for Squareplus {
    fn default() -> Self {
        Self::new(4.0)
    }
}

impl<T: Real> Activation<T> for Squareplus {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let (root, low) = self.parts(z);
        let high = T::of(0.5) * (root + z.abs());
        if z < T::zero() { low } else { high }
    }

    #[inline(always)]
    fn derivative(self, z: T, _: T) -> T {
        // ½ (1 + z / √), which is a / √; and a of z and of -z together are √.
        let (root, low) = self.parts(z);
        let low = low / root;
        if z < T::zero() { low } else { T::one() - low }
    }

    fn settings(self) -> Result<(), &'static str> {
        if is_positive::<T>(self.b) { Ok(()) } else { Err("a positive b") }
    }

    described!();
}
