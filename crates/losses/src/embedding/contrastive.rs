//! The contrastive loss of pairs.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::distance::{Pair, PairSlopes, add_norm_slopes, norm};
use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The contrastive loss of pairs `L = t d² + (1 - t) max(m - d, 0)²`, where d is the Euclidean distance of two vectors and m the
/// margin: like ones are pulled together, others pushed apart up to m (Hadsell et al. 2006, there with the factor ½).
///
/// A row of outputs is the two vectors one after the other, and the target one value, 1 where they are alike and 0 where they
/// are not. Where other vectors are equal, the distance has no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contrastive {
    /// The margin m, above 0.
    pub margin: f64,
}

impl Default for Contrastive {
    fn default() -> Self {
        Self { margin: 1.0 }
    }
}

describe! {
    /// Like vectors are pulled together, others pushed apart up to a margin; a row is the two vectors.
    Contrastive = "contrastive";
    aliases ["contrastive_loss"];
    formula "L = t d² + (1 - t) max(m - d, 0)²; d = ‖a - b‖";
    source "Hadsell et al. 2006";
    settings {
        /// The margin m.
        margin: 1.0, Range::POSITIVE;
    }
}

impl Criterion for Contrastive {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("Contrastive").in_parts(2).single().yes_or_no()
    }

    described!(validate);
}

impl VectorLoss for Contrastive {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let size = y.len() / 2;
        let (a, b) = y.split_at(size);
        let (da, db) = slopes.split_at_mut(size);
        let pair = Pair { a, b };
        let distance = norm(pair, 2.0, 0.0);
        let missing = self.margin - distance;
        let missing = if missing < 0.0 { 0.0 } else { missing };
        let t = t[0];
        let slope = 2.0 * (t * distance - (1.0 - t) * missing);
        add_norm_slopes(pair, 2.0, 0.0, slope, PairSlopes { da, db });
        weighted(t, distance * distance) + weighted(1.0 - t, missing * missing)
    }
}

vector_loss!(Contrastive);
