//! Dropout of whole channels.

use chainrule_core::{Plan, ShapeError};
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
