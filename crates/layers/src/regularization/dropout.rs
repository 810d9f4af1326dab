//! Dropout.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::{Groups, Noise, decide, probability};

/// In training, sets each value to 0 with probability `p` and divides the others by `1 - p`; otherwise the
/// identity (Srivastava et al. 2014, "inverted" as in PyTorch and Keras).
///
/// What is dropped depends on the seed, the step and the sample's place in the batch, not on threads.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Drops with probability `p`, in `[0, 1)`.
    pub fn new(p: f64) -> Self {
        Self { p }
    }
}

impl Noise for Dropout {
    fn groups(self, input: Shape, plan: &Plan) -> Result<Groups, ShapeError> {
        probability(self.p, input, plan)?;
        Ok(Groups::values(input))
    }

    #[inline(always)]
    fn draw<T: Real>(self, bits: u64) -> [[T; 2]; 2] {
        inverted(self.p, bits)
    }
}

/// `y = 0` with probability `p`, else `x / (1 - p)`.
#[inline(always)]
pub(super) fn inverted<T: Real>(p: f64, bits: u64) -> [[T; 2]; 2] {
    decide(p, bits, [T::zero(); 2], [T::of(1.0 / (1.0 - p)), T::zero()])
}
