//! Dropout of whole channels.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::dropout::inverted;
use super::{Groups, Noise, probability};

/// In training, sets each channel of `[channels, spatial...]` to 0 with probability `p` and divides the others by
/// `1 - p`; otherwise the identity (Tompson et al. 2015, "Efficient object localization using convolutional
/// networks"; PyTorch's `Dropout1d`, `Dropout2d` and `Dropout3d`).
///
/// Neighbours in a feature map are much alike, so [`Dropout`](crate::Dropout) of single values takes little away.
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
    fn groups(self, input: Shape, plan: &Plan) -> Result<Groups, ShapeError> {
        probability(self.p, input, plan)?;
        Groups::channels(self.last, input, plan)
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        inverted(self.p, bits)
    }
}
