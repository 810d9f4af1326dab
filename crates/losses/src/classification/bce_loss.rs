//! PyTorch's cross-entropy of independent probabilities.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The minimum of a logarithm, as in PyTorch.
const MIN_LN: f64 = -100.0;

/// The minimum of `p (1 - p)` in the gradient, as in PyTorch.
const MIN_VARIANCE: f64 = 1e-12;

/// The binary cross-entropy of probabilities as PyTorch's `BCELoss` has it, `L = -1/n Σⱼ wⱼ (tⱼ ln yⱼ + (1 - tⱼ) ln(1 - yⱼ))` over
/// the n columns, where logarithms are at least -100, with the gradient `w/n (y - t) / (y (1 - y))`, whose denominator is at least
/// 1e-12. [`BinaryCrossEntropy`](struct@crate::BinaryCrossEntropy) takes logits, in which nothing has to be clipped, or clips
/// probabilities as Keras does. Weights of columns do not change what the mean divides by. Targets are from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BceLoss {
    /// The weight of each column, if they have any.
    pub weight: Option<Vec<f64>>,
}

describe! {
    /// The binary cross-entropy of probabilities as PyTorch has it, whose logarithms are at least -100.
    BceLoss = "bce_loss";
    formula "L = -1/n Σ w (t ln y + (1 - t) ln(1 - y))";
    source "PyTorch";
    settings {
        /// The weight of each column.
        weight: none, Range::NOT_NEGATIVE;
    }
}

impl Criterion for BceLoss {
    fn outputs(&self) -> Outputs {
        Outputs::Probabilities
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("BceLoss").yes_or_no().weighted_by(self.weight.as_deref())
    }

    described!(validate);
}

/// `ln p`, at least -100; NaN stays NaN.
fn ln(p: f64) -> f64 {
    let ln = p.ln();
    if ln < MIN_LN { MIN_LN } else { ln }
}

impl VectorLoss for BceLoss {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = y.len() as f64;
        let mut loss = 0.0;
        for (column, (&y, &t)) in y.iter().zip(t).enumerate() {
            let weight = self.weight.as_ref().map_or(1.0, |weight| weight[column]) / n;
            let variance = y * (1.0 - y);
            loss -= weight * (t * ln(y) + (1.0 - t) * ln(1.0 - y));
            slopes[column] = weight * (y - t) / if variance < MIN_VARIANCE { MIN_VARIANCE } else { variance };
        }
        loss
    }
}

vector_loss!(BceLoss);
