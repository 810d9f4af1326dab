//! The triplet loss.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::distance::{Pair, PairSlopes, add_norm_slopes, norm};
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The triplet loss `L = max(d(a, p) - d(a, n) + m, 0)` of an anchor a, a positive p that is like it and a negative n that is not,
/// with the margin m and the distance `d(x, y) = ‖x - y + ε‖` in the norm of degree `p` (Balntas et al. 2016): PyTorch's
/// `TripletMarginLoss`.
///
/// A row of outputs is the three vectors one after the other, as a network gives them that takes the three as the steps of one
/// sample; the target is not looked at, and may be `()`. With [`swap`](Self::swap) the negative's distance is the smaller of those from
/// the anchor and from the positive. Where vectors are equal, the distance has no gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripletMargin {
    /// The margin m, above 0.
    pub margin: f64,
    /// The degree of the norm, at least 1; infinity is the largest difference.
    pub p: f64,
    /// What is added to each difference, ε.
    pub eps: f64,
    /// Whether the negative may be compared with the positive instead of the anchor.
    pub swap: bool,
}

impl Default for TripletMargin {
    fn default() -> Self {
        Self { margin: 1.0, p: 2.0, eps: 1e-6, swap: false }
    }
}

describe! {
    /// An anchor is nearer to its positive than to its negative by a margin; a row is the three vectors.
    TripletMargin = "triplet_margin";
    aliases ["triplet", "triplet_margin_loss", "triplet_loss"];
    formula "L = max(‖a - p‖ - ‖a - n‖ + m, 0)";
    source "Balntas et al. 2016";
    settings {
        /// The margin m.
        margin: 1.0, Range::POSITIVE;
        /// The degree of the norm.
        p ("norm_degree"): 2.0, Range::between(1.0, f64::INFINITY, "at least 1");
        /// What is added to each difference.
        eps ("epsilon"): 1e-6, Range::NOT_NEGATIVE;
        /// Whether the negative may be compared with the positive instead of the anchor.
        swap: false;
    }
}

impl Criterion for TripletMargin {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::nothing("TripletMargin").in_parts(3)
    }

    described!(validate);
}

/// The vectors of a row, and which of them an anchor's negative is compared with.
pub(super) struct Triplet<'a> {
    pub(super) margin: f64,
    pub(super) swap: bool,
    pub(super) row: Row<'a>,
}

impl Triplet<'_> {
    /// The loss with this distance, and its slopes.
    pub(super) fn loss(
        self,
        distance: impl Fn(Pair<'_>) -> f64,
        add_slopes: impl Fn(Pair<'_>, f64, PairSlopes<'_>),
    ) -> f64 {
        let Row { y, slopes, .. } = self.row;
        let size = y.len() / 3;
        let (anchor, rest) = y.split_at(size);
        let (positive, negative) = rest.split_at(size);
        let near = Pair { a: anchor, b: positive };
        let far = Pair { a: anchor, b: negative };
        let from_positive = Pair { a: positive, b: negative };
        let far_distance = distance(far);
        let swapped = self.swap && distance(from_positive) < far_distance;
        let far_distance = if swapped { distance(from_positive) } else { far_distance };
        let loss = distance(near) - far_distance + self.margin;
        if loss <= 0.0 {
            return 0.0;
        }
        let (of_anchor, rest) = slopes.split_at_mut(size);
        let (of_positive, of_negative) = rest.split_at_mut(size);
        add_slopes(near, 1.0, PairSlopes { da: of_anchor, db: of_positive });
        if swapped {
            add_slopes(from_positive, -1.0, PairSlopes { da: of_positive, db: of_negative });
        } else {
            add_slopes(far, -1.0, PairSlopes { da: of_anchor, db: of_negative });
        }
        loss
    }
}

impl VectorLoss for TripletMargin {
    fn row(&self, row: Row<'_>) -> f64 {
        let &Self { margin, p, eps, swap } = self;
        let triplet = Triplet { margin, swap, row };
        triplet.loss(|pair| norm(pair, p, eps), |pair, factor, to| add_norm_slopes(pair, p, eps, factor, to))
    }
}

vector_loss!(TripletMargin);
