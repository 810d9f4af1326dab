//! The loss of the cosine of two vectors.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, vector};

use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// What is added to the square of a norm, as in PyTorch.
const EPSILON: f64 = 1e-12;

/// The loss of the cosine of two vectors: `L = 1 - cos(a, b)` where they are alike, and `max(cos(a, b) - m, 0)` with the margin m
/// where they are not: PyTorch's `CosineEmbeddingLoss`. As there, 10⁻¹² is added to the squares of the norms.
///
/// A row of outputs is the two vectors one after the other, and the target one value, 1 where they are alike and -1 (or 0) where
/// they are not. The gradient of the cosine is `b / ‖a‖‖b‖ - cos a / ‖a‖²` for a, and likewise for b.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineEmbedding {
    /// The margin m, from -1 to 1.
    pub margin: f64,
}

impl Default for CosineEmbedding {
    fn default() -> Self {
        Self { margin: 0.0 }
    }
}

describe! {
    /// Like vectors have the cosine 1, others at most a margin; a row is the two vectors.
    CosineEmbedding = "cosine_embedding";
    aliases ["cosine_embedding_loss"];
    formula "L = 1 - cos(a, b) if t = 1, else max(cos(a, b) - m, 0)";
    source "PyTorch";
    settings {
        /// The margin m.
        margin: 0.0, Range::between(-1.0, 1.0, "from -1 to 1");
    }
}

impl Criterion for CosineEmbedding {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::signs("CosineEmbedding").in_parts(2).single()
    }

    described!(validate);
}

impl VectorLoss for CosineEmbedding {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let size = y.len() / 2;
        let (a, b) = y.split_at(size);
        let (da, db) = slopes.split_at_mut(size);
        // √(‖v‖² + ε), also where the squares would be too large.
        let [of_a, of_b] = [a, b].map(|v| vector::norm(v).hypot(EPSILON.sqrt()));
        let cos: f64 = a.iter().zip(b).map(|(a, b)| (a / of_a) * (b / of_b)).sum();
        let (loss, sign) = if t[0] > 0.0 { (1.0 - cos, -1.0) } else { (cos - self.margin, 1.0) };
        if sign > 0.0 && loss <= 0.0 {
            return 0.0;
        }
        for (((da, db), a), b) in da.iter_mut().zip(db).zip(a).zip(b) {
            *da = sign * (b / of_b - cos * (a / of_a)) / of_a;
            *db = sign * (a / of_a - cos * (b / of_b)) / of_b;
        }
        loss
    }
}

vector_loss!(CosineEmbedding);
