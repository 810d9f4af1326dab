//! PyTorch's hinge loss for classes.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The hinge loss for classes as PyTorch has it, `L = 1/n Σⱼ tⱼ wⱼ Σᵢ max(m - yⱼ + yᵢ, 0)ᵖ` over the other of the n columns i, with the
/// margin m, the power p and the weights w of the classes: PyTorch's `MultiMarginLoss`. As there, the weights do not change what
/// the mean divides by. The gradient of a term is `p max(...)ᵖ⁻¹` for yᵢ, and less that for yⱼ. Targets are from 0 to 1.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiMargin {
    /// The power p, 1 or 2.
    pub p: u32,
    /// The margin m.
    pub margin: f64,
    /// The weight of each class, if they have any.
    pub weight: Option<Vec<f64>>,
}

impl Default for MultiMargin {
    fn default() -> Self {
        Self { p: 1, margin: 1.0, weight: None }
    }
}

describe! {
    /// How much the other outputs are above that of the class less a margin.
    MultiMargin = "multi_margin";
    aliases ["multi_margin_loss"];
    formula "L = 1/n Σ t w Σ max(m - y + y', 0)^p";
    source "PyTorch";
    settings {
        /// The power, 1 or 2.
        p: 1, Range::between(1.0, 2.0, "1 or 2");
        /// The margin m.
        margin: 1.0, Range::FINITE;
        /// The weight of each class.
        weight ("class_weight"): none, Range::NOT_NEGATIVE;
    }
}

impl Criterion for MultiMargin {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("MultiMargin").weighted_by(self.weight.as_deref())
    }

    described!(validate);
}

impl VectorLoss for MultiMargin {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = y.len() as f64;
        let mut loss = 0.0;
        for (class, &t) in t.iter().enumerate().filter(|&(_, &t)| t != 0.0) {
            let factor = t * self.weight.as_ref().map_or(1.0, |weight| weight[class]) / n;
            for other in (0..y.len()).filter(|&other| other != class) {
                let missing = self.margin - y[class] + y[other];
                if missing <= 0.0 {
                    continue;
                }
                let (value, slope) =
                    if self.p == 1 { (missing, 1.0) } else { (missing * missing, 2.0 * missing) };
                loss += factor * value;
                slopes[other] += factor * slope;
                slopes[class] -= factor * slope;
            }
        }
        loss
    }
}

vector_loss!(MultiMargin);
