//! Gaussian noise.

use chainrule_core::{Plan, Range, ShapeError, describe};
use chainrule_tensor::{Real, Shape};

use super::noise::{Noise, NoiseGroups, check_probability, noise_layer};

/// In training, `y = x (1 + σ n)` with `n` standard normal and `σ = √(p / (1 - p))`, the deviation of
/// [`Dropout`](crate::Dropout) with probability `p`; otherwise the identity (Srivastava et al. 2014, section 10; Keras'
/// `GaussianDropout`).
#[derive(Clone, Copy, Debug)]
pub struct GaussianDropout {
    p: f64,
}

describe! {
    /// Multiplies with random numbers of mean 1 in training.
    GaussianDropout = "gaussian_dropout";
    formula "y = x (1 + √(p / (1 - p)) n)";
    source "Srivastava et al. 2014";
    settings {
        /// The probability of the dropout with the same variance.
        p ("rate"): 0.5, Range::FRACTION;
    }
}

impl GaussianDropout {
    /// With the deviation of dropout with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl Noise for GaussianDropout {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        check_probability(self.p, input, plan)?;
        Ok(NoiseGroups::values(input))
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        let deviation = T::of((self.p / (1.0 - self.p)).sqrt());
        let [m, n] = normals::<T>(bits);
        [[T::one() + deviation * m, T::zero()], [T::one() + deviation * n, T::zero()]]
    }
}

noise_layer!(GaussianDropout);

/// In training, `y = x + σ n` with `n` standard normal; otherwise the identity (Keras' `GaussianNoise`).
#[derive(Clone, Copy, Debug)]
pub struct GaussianNoise {
    deviation: f64,
}

describe! {
    /// Adds random numbers of mean 0 in training.
    GaussianNoise = "gaussian_noise";
    formula "y = x + deviation n";
    settings {
        /// The standard deviation.
        deviation ("stddev", "std"): required, Range::NOT_NEGATIVE;
    }
}

impl GaussianNoise {
    /// With this standard deviation `σ`.
    pub fn new(deviation: f64) -> Self {
        Self { deviation }
    }
}

impl Noise for GaussianNoise {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        if !(self.deviation >= 0.0 && self.deviation.is_finite()) {
            let help = "choose a deviation of at least 0";
            return Err(plan.setting_error(input, "a finite deviation", help));
        }
        Ok(NoiseGroups::values(input))
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        let deviation = T::of(self.deviation);
        let [m, n] = normals::<T>(bits);
        [[T::one(), deviation * m], [T::one(), deviation * n]]
    }
}

noise_layer!(GaussianNoise);

/// Two independent samples of the standard normal distribution (Box and Muller 1958), below 6.7 in magnitude.
#[inline(always)]
fn normals<T: Real>(bits: u64) -> [T; 2] {
    // The upper 31 bits give u in (0, 1), the lower 32 an angle.
    let u = (T::of(f64::from((bits >> 33) as i32)) + T::of(0.5)) * T::of(2f64.powi(-31));
    let radius = (T::of(-2.0) * u.fast_ln()).sqrt();
    let angle = bits as u32 as i32;
    [radius * sine(angle.wrapping_add(1 << 30)), radius * sine(angle)]
}

/// The sine of an angle in 2⁻³² turns: its series up to x¹³, with an error of at most 7 10⁻¹⁰.
#[inline(always)]
fn sine<T: Real>(angle: i32) -> T {
    const SERIES: [f64; 7] = [
        1.0,
        -1.0 / 6.0,
        1.0 / 120.0,
        -1.0 / 5040.0,
        1.0 / 362_880.0,
        -1.0 / 39_916_800.0,
        1.0 / 6_227_020_800.0,
    ];
    // Beyond a quarter of a turn, sin x = sin(π - x).
    let beyond = angle.wrapping_abs() as u32 > 1 << 30;
    let folded = if beyond { i32::MIN.wrapping_sub(angle) } else { angle };
    let x = T::of(f64::from(folded)) * T::of(std::f64::consts::TAU * 2f64.powi(-32));
    let z = x * x;
    x * SERIES.iter().rev().fold(T::zero(), |sum, &term| sum * z + T::of(term))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::Seed;

    #[test]
    fn sines_all_around() {
        for angle in (i32::MIN..i32::MAX - 9_999_999).step_by(9_999_999).chain([i32::MIN, i32::MAX, 1 << 30])
        {
            let expected = (std::f64::consts::TAU * f64::from(angle) / 2f64.powi(32)).sin();
            assert!((sine::<f64>(angle) - expected).abs() < 1e-9, "{angle}");
            assert!((f64::from(sine::<f32>(angle)) - expected).abs() < 3e-7, "{angle}");
        }
    }

    #[test]
    fn normals_are_standard_and_independent() {
        let n = 200_000;
        let mut moments = [0.0; 4];
        let mut product = 0.0;
        let mut beyond = 0;
        for i in 0..n {
            let [a, b]: [f32; 2] = normals(Seed(1).bits(i));
            for v in [a, b].map(f64::from) {
                (1..).zip(&mut moments).for_each(|(k, moment)| *moment += v.powi(k));
                beyond += usize::from(v.abs() > 2.0);
            }
            product += f64::from(a * b);
        }
        let n = n as f64;
        for (moment, expected) in moments.map(|moment| moment / (2.0 * n)).iter().zip([0.0, 1.0, 0.0, 3.0]) {
            assert!((moment - expected).abs() < 0.06, "{moments:?}");
        }
        assert!((product / n).abs() < 0.01, "{product}");
        // P(|n| > 2) = 0.0455.
        assert!((beyond as f64 / (2.0 * n) - 0.0455).abs() < 0.002, "{beyond}");
        for bits in [0, u64::MAX, 1 << 63] {
            assert!(normals::<f32>(bits).iter().chain(&normals::<f32>(!bits)).all(|n| n.abs() < 6.7));
        }
    }
}
