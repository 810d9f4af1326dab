//! The triplet loss with a choice of distances.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::distance::Distance;
use super::triplet_margin::Triplet;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The triplet loss `L = max(d(a, p) - d(a, n) + m, 0)` with a [`Distance`] d of choice: PyTorch's
/// `TripletMarginWithDistanceLoss`. All else is as in [`TripletMargin`](crate::TripletMargin).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMarginWithDistance {
    /// The distance d.
    pub distance: Distance,
    /// The margin m, above 0.
    pub margin: f64,
    /// Whether the negative may be compared with the positive instead of the anchor.
    pub swap: bool,
}

impl Default for TripletMarginWithDistance {
    fn default() -> Self {
        Self { distance: Distance::Euclidean, margin: 1.0, swap: false }
    }
}

describe! {
    /// The triplet loss with a choice of distances.
    TripletMarginWithDistance = "triplet_margin_with_distance";
    aliases ["triplet_margin_with_distance_loss"];
    formula "L = max(d(a, p) - d(a, n) + m, 0)";
    source "PyTorch";
    settings {
        /// The distance: euclidean, squared_euclidean, manhattan or cosine.
        distance ("distance_function"): euclidean;
        /// The margin m.
        margin: 1.0, Range::POSITIVE;
        /// Whether the negative may be compared with the positive instead of the anchor.
        swap: false;
    }
}

impl Criterion for TripletMarginWithDistance {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::nothing("TripletMarginWithDistance").in_parts(3)
    }

    described!(validate);
}

impl VectorLoss for TripletMarginWithDistance {
    fn row(&self, row: Row<'_>) -> f64 {
        let &Self { distance, margin, swap } = self;
        let triplet = Triplet { margin, swap, row };
        triplet.loss(|pair| distance.of(pair), |pair, factor, to| distance.add_slopes(pair, factor, to))
    }
}

vector_loss!(TripletMarginWithDistance);
