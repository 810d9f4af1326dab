//! Dropout of whole channels.

use chainrule_core::{Plan, Range, ShapeError, describe};
use chainrule_tensor::{Real, Shape};

use super::dropout::inverted;
use super::noise::{Noise, NoiseGroups, check_probability, noise_layer};

/// In training, sets each channel of `[channels, spatial...]` to 0 with probability `p` and divides the others by
/// `1 - p`; otherwise the identity (Tompson et al. 2015, "Efficient object localization using convolutional
/// networks"; PyTorch's `Dropout1d`, `Dropout2d` and `Dropout3d`).
///
/// Neighbouring values of a feature map are similar, so [`Dropout`](crate::Dropout) of single values removes little.
#[derive(Clone, Copy, Debug)]
pub struct SpatialDropout {
    p: f64,
    last: bool,
}

describe! {
    /// Sets random channels to 0 in training, and scales the others.
    SpatialDropout = "spatial_dropout";
    aliases ["dropout1d", "dropout2d", "dropout3d", "spatial_dropout1d", "spatial_dropout2d", "spatial_dropout3d"];
    formula "y = x m / (1 - p)";
    source "Tompson et al. 2015";
    settings {
        /// The probability of a channel to be dropped.
        p ("rate"): 0.5, Range::FRACTION;
        /// Whether the channels are the last axis rather than the first.
        last as "channels_last": false;
    }
}

impl SpatialDropout {
    /// Drops each channel with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p, last: false }
    }

    /// For samples `[spatial..., channels]`: drops features of `[steps, features]` over all steps, as Keras'
    /// `SpatialDropout1D`.
    #[must_use]
    pub fn channels_last(self) -> Self {
        Self { last: true, ..self }
    }
}

impl Noise for SpatialDropout {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        check_probability(self.p, input, plan)?;
        NoiseGroups::channels(self.last, input, plan)
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        inverted(self.p, bits)
    }
}

noise_layer!(SpatialDropout);
