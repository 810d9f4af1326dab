//! The hinge loss of distances.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The hinge loss of distances, whose mean over the n columns is of `y` where the target is 1, and of `max(m - y, 0)` with the margin
/// m where it is -1: PyTorch's `HingeEmbeddingLoss`, for outputs that are distances of pairs that are alike, or are not. The
/// gradients are `1/n` and `-1/n`. A target of 0 counts as -1, and so does every column but that of the class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HingeEmbedding {
    /// The margin m.
    pub margin: f64,
}

impl Default for HingeEmbedding {
    fn default() -> Self {
        Self { margin: 1.0 }
    }
}

describe! {
    /// The outputs are distances of pairs that are alike, or should be a margin apart.
    HingeEmbedding = "hinge_embedding";
    aliases ["hinge_embedding_loss"];
    formula "L = 1/n Σ (y if t = 1, else max(m - y, 0))";
    source "PyTorch";
    settings {
        /// The margin m.
        margin: 1.0, Range::FINITE;
    }
}

impl Criterion for HingeEmbedding {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::signs("HingeEmbedding")
    }

    described!(validate);
}

impl ColumnLoss for HingeEmbedding {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let missing = self.margin - y;
        let missing = if missing < 0.0 { 0.0 } else { missing };
        if t > 0.0 { y } else { missing }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        let apart = if y < self.margin { -1.0 } else { 0.0 };
        if t > 0.0 { 1.0 } else { apart }
    }
}

column_loss!(HingeEmbedding);
