//! Exponential linear units: `z` where it is positive, else an exponential that saturates.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Real;

use super::{Activation, activation_layers, is_finite, is_positive};

activation_layers!(Elu Celu Selu);

/// `z` where it is positive, else `α (eᶻ - 1)` (Clevert et al. 2015); α is 1 by default.
#[derive(Clone, Copy, Debug)]
pub struct Elu {
    alpha: f64,
}

describe! {
    /// The exponential linear unit.
    Elu = "elu";
    formula "a = z where z > 0, else α (eᶻ - 1)";
    source "Clevert et al. 2015";
    settings {
        /// The limit of -a below 0.
        alpha: 1.0, Range::FINITE;
    }
}

impl Elu {
    /// Saturates at `-alpha`.
    pub fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Default for Elu {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl<T: Real> Activation<T> for Elu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let below = T::of(self.alpha) * z.fast_exp_m1();
        if z > T::zero() { z } else { below }
    }

    #[inline(always)]
    fn derivative(self, z: T, a: T) -> T {
        if z > T::zero() { T::one() } else { a + T::of(self.alpha) }
    }

    fn settings(self) -> Result<(), &'static str> {
        if is_finite::<T>(self.alpha) { Ok(()) } else { Err("a finite alpha") }
    }

    described!();
}

/// `z` where it is positive, else `α (exp(z/α) - 1)`, whose derivative is continuous (Barron 2017); α is 1 by
/// default.
#[derive(Clone, Copy, Debug)]
pub struct Celu {
    alpha: f64,
}

describe! {
    /// The exponential linear unit whose derivative is continuous for every α.
    Celu = "celu";
    formula "a = max(z, 0) + min(α (exp(z / α) - 1), 0)";
    source "Barron 2017";
    settings {
        /// The limit of -a below 0.
        alpha: 1.0, Range::FINITE;
    }
}

impl Celu {
    /// Saturates at `-alpha`; `alpha` must be positive.
    pub fn new(alpha: f64) -> Self {
        Self { alpha }
    }
}

impl Default for Celu {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl<T: Real> Activation<T> for Celu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        let below = T::of(self.alpha) * (z * T::of(1.0 / self.alpha)).fast_exp_m1();
        if z > T::zero() { z } else { below }
    }

    #[inline(always)]
    fn derivative(self, z: T, a: T) -> T {
        if z > T::zero() { T::one() } else { a * T::of(1.0 / self.alpha) + T::one() }
    }

    fn settings(self) -> Result<(), &'static str> {
        if is_positive::<T>(self.alpha) { Ok(()) } else { Err("a positive alpha") }
    }

    described!();
}

/// `λ z` where it is positive, else `λ α (eᶻ - 1)`, with the α and λ that preserve mean 0 and variance 1 from layer to
/// layer (Klambauer et al. 2017). Use it with weights initialised by `init::LecunNormal`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selu;

describe! {
    /// The scaled exponential linear unit, which normalises itself.
    Selu = "selu";
    formula "a = λ z where z > 0, else λ α (eᶻ - 1)";
    source "Klambauer et al. 2017";
}

impl Selu {
    /// α of the paper.
    pub const ALPHA: f64 = 1.673_263_242_354_377_2;
    /// λ of the paper.
    pub const LAMBDA: f64 = 1.050_700_987_355_480_5;
}

impl<T: Real> Activation<T> for Selu {
    #[inline(always)]
    fn value(self, z: T) -> T {
        T::of(Self::LAMBDA) * Elu::new(Self::ALPHA).value(z)
    }

    #[inline(always)]
    fn derivative(self, z: T, a: T) -> T {
        if z > T::zero() { T::of(Self::LAMBDA) } else { a + T::of(Self::LAMBDA * Self::ALPHA) }
    }

    described!();
}
