//! The loss of the order of two values.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The loss of the order of two values, `L = 1/n Σⱼ max(-tⱼ (aⱼ - bⱼ) + m, 0)` with the margin m, for 2n outputs, the n values a and
/// then the n values b: a should be above b where the target is 1, and below where it is -1 (or 0). PyTorch's `MarginRankingLoss`.
/// Where a term is not 0, its gradient is `-t/n` for a and `t/n` for b. A target has n values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MarginRanking {
    /// The margin m.
    pub margin: f64,
}

impl Default for MarginRanking {
    fn default() -> Self {
        Self { margin: 0.0 }
    }
}

describe! {
    /// Of two values, the right one is above the other; the outputs are the first values, then the second ones.
    MarginRanking = "margin_ranking";
    aliases ["margin_ranking_loss"];
    formula "L = 1/n Σ max(-t (a - b) + m, 0); t = ±1";
    source "PyTorch";
    settings {
        /// The margin m.
        margin: 0.0, Range::FINITE;
    }
}

impl Criterion for MarginRanking {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::signs("MarginRanking").in_parts(2)
    }

    described!(validate);
}

impl VectorLoss for MarginRanking {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = t.len() as f64;
        let (a, b) = y.split_at(t.len());
        let (da, db) = slopes.split_at_mut(t.len());
        let mut loss = 0.0;
        for (j, &t) in t.iter().enumerate() {
            let missing = self.margin - t * (a[j] - b[j]);
            if missing <= 0.0 {
                continue;
            }
            loss += missing / n;
            da[j] = -t / n;
            db[j] = t / n;
        }
        loss
    }
}

vector_loss!(MarginRanking);
