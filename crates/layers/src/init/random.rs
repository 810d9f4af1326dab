//! Random values from a fixed distribution.

use std::f64::consts::FRAC_1_SQRT_2;

use chainrule_core::{Initializer, ParamSpec, Range, describe, described};
use chainrule_tensor::{Real, Seed};

/// Uniform in `[low, high)`: by default from 0 to 1, as in PyTorch; [`keras`](Self::keras) uses ±0.05.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    low: f64,
    high: f64,
}

describe! {
    /// Uniform between two limits.
    Uniform = "uniform";
    aliases ["random_uniform"];
    settings {
        /// The lower limit.
        low ("a", "minval"): 0.0, Range::FINITE;
        /// The upper limit.
        high ("b", "maxval"): 1.0, Range::FINITE;
    }
    presets { keras { low = -0.05, high = 0.05 } }
}

impl Uniform {
    /// Uniform in `[low, high)`.
    pub fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    /// The default of Keras' `RandomUniform`.
    pub fn keras() -> Self {
        Self::new(-0.05, 0.05)
    }
}

impl Default for Uniform {
    fn default() -> Self {
        Self::new(0.0, 1.0)
    }
}

impl Initializer for Uniform {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let mut rng = seed.rng();
        values.fill_with(|| rng.between(self.low, self.high));
    }

    described!();
}

/// Normal with a mean and a standard deviation: by default 0 and 1, as in PyTorch; [`keras`](Self::keras) uses 0 and 0.05.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Normal {
    mean: f64,
    deviation: f64,
}

describe! {
    /// Normal, with a mean and a standard deviation.
    Normal = "normal";
    aliases ["random_normal"];
    settings {
        /// The mean.
        mean: 0.0, Range::FINITE;
        /// The standard deviation.
        deviation ("std", "stddev"): 1.0, Range::NOT_NEGATIVE;
    }
    presets { keras { deviation = 0.05 } }
}

impl Normal {
    /// With this mean and standard deviation.
    pub fn new(mean: f64, deviation: f64) -> Self {
        Self { mean, deviation }
    }

    /// The default of Keras' `RandomNormal`.
    pub fn keras() -> Self {
        Self::new(0.0, 0.05)
    }
}

impl Default for Normal {
    fn default() -> Self {
        Self::new(0.0, 1.0)
    }
}

impl Initializer for Normal {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let mut rng = seed.rng();
        values.fill_with(|| self.mean + self.deviation * rng.normal());
    }

    described!();
}

/// Normal, truncated to two limits. The standard deviation is that of the distribution before the truncation.
///
/// [`new`](Self::new) truncates at -2 and 2, regardless of the mean and the deviation, as PyTorch's `trunc_normal_`;
/// [`keras`](Self::keras) truncates at two deviations from the mean, which reduces the deviation to 0.88 of it. Values are drawn by
/// the inverse of the distribution function, so that each takes one draw, however far in the tail the limits are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    mean: f64,
    deviation: f64,
    low: f64,
    high: f64,
}

describe! {
    /// Normal, truncated to two limits.
    TruncatedNormal = "truncated_normal";
    aliases ["trunc_normal"];
    settings {
        /// The mean before the truncation.
        mean: 0.0, Range::FINITE;
        /// The standard deviation before the truncation.
        deviation ("std", "stddev"): 1.0, Range::NOT_NEGATIVE;
        /// The lower limit.
        low ("a"): -2.0;
        /// The upper limit.
        high ("b"): 2.0;
    }
    presets { keras { deviation = 0.05, low = -0.1, high = 0.1 } }
}

impl TruncatedNormal {
    /// With this mean and standard deviation, between -2 and 2.
    pub fn new(mean: f64, deviation: f64) -> Self {
        Self { mean, deviation, low: -2.0, high: 2.0 }
    }

    /// With this mean and standard deviation, and limits two deviations from the mean.
    pub fn keras(mean: f64, deviation: f64) -> Self {
        Self::new(mean, deviation).between(mean - 2.0 * deviation, mean + 2.0 * deviation)
    }

    /// Sets the limits.
    #[must_use]
    pub fn between(self, low: f64, high: f64) -> Self {
        Self { low, high, ..self }
    }
}

impl Default for TruncatedNormal {
    fn default() -> Self {
        Self::new(0.0, 1.0)
    }
}

impl Initializer for TruncatedNormal {
    fn fill(&self, _: ParamSpec, seed: Seed, values: &mut [f64]) {
        let &Self { mean, deviation, low, high } = self;
        let (a, b) = ((low - mean) / deviation, (high - mean) / deviation);
        // Φ is accurate in the lower tail, so limits in the upper tail are mirrored.
        let (sign, a, b) = if a > 0.0 { (-1.0, -b, -a) } else { (1.0, a, b) };
        let phi = |z: f64| 0.5 * (-z * FRAC_1_SQRT_2).fast_erfc();
        let (from, to) = (phi(a), phi(b));
        let mut rng = seed.rng();
        values.fill_with(|| {
            let z = quantile(rng.between(from, to).max(f64::MIN_POSITIVE));
            (mean + deviation * sign * z.max(a).min(b)).max(low).min(high)
        });
    }

    described!();
}

/// The `z` with `Φ(z) = p`, to 7 digits (Wichura 1988, algorithm AS 241, PPND7): enough for a draw.
fn quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        let above = 3.387_132_717_9 + r * (50.434_271_938 + r * (159.291_132_02 + r * 59.109_374_72));
        let below = 1.0 + r * (17.895_169_469 + r * (78.757_757_664 + r * 67.187_563_6));
        return q * above / below;
    }
    let r = (-(if q < 0.0 { p } else { 1.0 - p }).ln()).sqrt();
    let z = if r <= 5.0 {
        let r = r - 1.6;
        let above = 1.423_437_277_7 + r * (2.756_815_39 + r * (1.306_728_481_6 + r * 0.170_238_211_03));
        above / (1.0 + r * (0.737_001_642_5 + r * 0.120_211_329_75))
    } else {
        let r = r - 5.0;
        let above = 6.657_905_115 + r * (3.081_226_386 + r * (0.428_682_943_37 + r * 0.017_337_203_997));
        above / (1.0 + r * (0.241_978_942_25 + r * 0.012_258_202_635))
    };
    z.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles() {
        for z in [-20.0, -8.0, -5.0, -3.0, -1.5, -0.7, -1e-3, 0.0, 0.1, 1.0, 1.44, 2.5, 5.0] {
            let found = quantile(0.5 * (-z * FRAC_1_SQRT_2).fast_erfc());
            assert!((found - z).abs() < 2e-7 * (1.0 + z.abs()), "{found} for {z}");
        }
    }
}
