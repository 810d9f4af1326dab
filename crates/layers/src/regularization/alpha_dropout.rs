//! Dropout for self-normalising networks.

use chainrule_core::{Plan, Range, ShapeError, describe};
use chainrule_tensor::{Real, Shape};

use super::noise::{Noise, NoiseGroups, check_probability, drop_or_keep, noise_layer};

/// The value of a dropped activation: `-λ α` of SELU, its value at -∞.
const SATURATED: f64 = -1.758_099_340_847_376_6;

/// In training, sets each value to `s = -1.7581` with probability `p`, and then maps all values by `y = a x + b` with
/// `a = 1 / √((1 - p) (1 + p s²))` and `b = -a p s`, which preserves a mean of 0 and a variance of 1; otherwise the
/// identity (Klambauer et al. 2017, "Self-normalizing neural networks"; PyTorch's and Keras' `AlphaDropout`).
#[derive(Clone, Copy, Debug)]
pub struct AlphaDropout {
    p: f64,
}

describe! {
    /// A dropout that keeps the mean and the variance of what SELU returns.
    AlphaDropout = "alpha_dropout";
    source "Klambauer et al. 2017";
    settings {
        /// The probability of a value to be dropped.
        p ("rate"): 0.5, Range::FRACTION;
    }
}

impl AlphaDropout {
    /// Drops with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl Noise for AlphaDropout {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        check_probability(self.p, input, plan)?;
        Ok(NoiseGroups::values(input))
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        alpha_draw(self.p, bits)
    }
}

noise_layer!(AlphaDropout);

/// [`AlphaDropout`] of whole channels of `[channels, spatial...]` (PyTorch's `FeatureAlphaDropout`).
#[derive(Clone, Copy, Debug)]
pub struct FeatureAlphaDropout {
    p: f64,
    last: bool,
}

describe! {
    /// An alpha dropout of whole channels.
    FeatureAlphaDropout = "feature_alpha_dropout";
    source "Klambauer et al. 2017";
    settings {
        /// The probability of a channel to be dropped.
        p ("rate"): 0.5, Range::FRACTION;
        /// Whether the channels are the last axis rather than the first.
        last as "channels_last": false;
    }
}

impl FeatureAlphaDropout {
    /// Drops each channel with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p, last: false }
    }

    /// For samples `[spatial..., channels]`, such as `[steps, features]`.
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self { last: true, ..self }
    }
}

impl Noise for FeatureAlphaDropout {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        check_probability(self.p, input, plan)?;
        NoiseGroups::channels(self.last, input, plan)
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        alpha_draw(self.p, bits)
    }
}

noise_layer!(FeatureAlphaDropout);

/// `y = a s + b` with probability `p`, else `a x + b`.
#[inline(always)]
fn alpha_draw<T: Real>(p: f64, bits: u64) -> [[T; 2]; 2] {
    let a = 1.0 / ((1.0 - p) * (1.0 + p * SATURATED * SATURATED)).sqrt();
    let b = -a * p * SATURATED;
    drop_or_keep(p, bits, [T::zero(), T::of(a * SATURATED + b)], [T::of(a), T::of(b)])
}
