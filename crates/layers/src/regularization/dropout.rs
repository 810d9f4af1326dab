//! Dropout.

use chainrule_core::{Plan, Range, ShapeError, describe};
use chainrule_tensor::{Real, Shape};

use super::noise::{Noise, NoiseGroups, check_probability, drop_or_keep, noise_layer};

/// In training, sets each value to 0 with probability `p` and divides the others by `1 - p`; otherwise the
/// identity (Srivastava et al. 2014, "inverted" as in PyTorch and Keras).
///
/// Which values are dropped depends on the seed, the step and the sample's index in the batch, not on threads.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f64,
}

describe! {
    /// Sets random values to 0 in training, and scales the others.
    Dropout = "dropout";
    formula "y = x m / (1 - p)";
    source "Srivastava et al. 2014";
    settings {
        /// The probability of a value to be dropped.
        p ("rate"): 0.5, Range::FRACTION;
    }
}

impl Dropout {
    /// Drops with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl Noise for Dropout {
    fn groups(self, input: Shape, plan: &Plan) -> Result<NoiseGroups, ShapeError> {
        check_probability(self.p, input, plan)?;
        Ok(NoiseGroups::values(input))
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        inverted(self.p, bits)
    }
}

noise_layer!(Dropout);

/// `y = 0` with probability `p`, else `x / (1 - p)`.
#[inline(always)]
pub(super) fn inverted<T: Real>(p: f64, bits: u64) -> [[T; 2]; 2] {
    drop_or_keep(p, bits, [T::zero(); 2], [T::of(1.0 / (1.0 - p)), T::zero()])
}
