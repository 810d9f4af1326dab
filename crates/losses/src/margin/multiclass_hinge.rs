//! The hinge loss for classes.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The hinge loss for classes `L = maxⱼ (yⱼ + m (1 - tⱼ)) - Σⱼ tⱼ yⱼ` with the margin m (Crammer and Singer 2001): 0 where the output
/// of the class is ahead of all others by m. The gradient is `1[largest] - t`. As in optax. Targets are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MulticlassHinge {
    /// The margin m, at least 0.
    pub margin: f64,
}

impl Default for MulticlassHinge {
    fn default() -> Self {
        Self { margin: 1.0 }
    }
}

describe! {
    /// 0 where the output of the class is ahead of all others by a margin.
    MulticlassHinge = "multiclass_hinge";
    aliases ["multiclass_hinge_loss", "crammer_singer"];
    formula "L = max(y + m (1 - t)) - Σ t y";
    source "Crammer and Singer 2001";
    settings {
        /// The margin m.
        margin: 1.0, Range::NOT_NEGATIVE;
    }
}

impl Criterion for MulticlassHinge {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("MulticlassHinge")
    }

    described!(validate);
}

/// `maxⱼ (yⱼ + m (1 - tⱼ)) - Σⱼ tⱼ yⱼ`, and its slopes. Of equal maxima the first has the gradient.
pub(super) fn ahead(Row { y, t, slopes, .. }: Row<'_>, margin: f64) -> f64 {
    let mut largest = f64::NEG_INFINITY;
    let mut at = 0;
    let mut wanted = 0.0;
    for (column, (&y, &t)) in y.iter().zip(t).enumerate() {
        let value = y + margin * (1.0 - t);
        if value > largest || value.is_nan() && !largest.is_nan() {
            largest = value;
            at = column;
        }
        wanted += weighted(t, y);
        slopes[column] = -t;
    }
    if let Some(slope) = slopes.get_mut(at) {
        *slope += 1.0;
    }
    // An output of infinity is ahead of all others: of itself by nothing.
    if largest == wanted { 0.0 } else { largest - wanted }
}

impl VectorLoss for MulticlassHinge {
    fn row(&self, row: Row<'_>) -> f64 {
        ahead(row, self.margin)
    }
}

vector_loss!(MulticlassHinge);
