//! PyTorch's hinge loss for several labels.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The hinge loss for several labels `L = 1/n Σⱼ Σᵢ max(1 - yⱼ + yᵢ, 0)` over the labels j of the sample and the columns i that are
/// none, of n columns: PyTorch's `MultiLabelMarginLoss`. The gradient of a term is 1 for yᵢ and -1 for yⱼ. A target is a vector of
/// 0 and 1, where PyTorch takes a list of labels; a class is a sample of one label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MultiLabelMargin;

describe! {
    /// How much the outputs of columns that are no labels are above those of labels less 1.
    MultiLabelMargin = "multi_label_margin";
    aliases ["multi_label_margin_loss", "multilabel_margin"];
    formula "L = 1/n Σ max(1 - y + y', 0); y of a label, y' of none";
    source "PyTorch";
}

impl Criterion for MultiLabelMargin {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::labels("MultiLabelMargin")
    }

    described!(validate);
}

impl VectorLoss for MultiLabelMargin {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = y.len() as f64;
        let mut loss = 0.0;
        for label in (0..y.len()).filter(|&label| t[label] == 1.0) {
            for other in (0..y.len()).filter(|&other| t[other] == 0.0) {
                let missing = 1.0 - y[label] + y[other];
                if missing <= 0.0 {
                    continue;
                }
                loss += missing / n;
                slopes[other] += 1.0 / n;
                slopes[label] -= 1.0 / n;
            }
        }
        loss
    }
}

vector_loss!(MultiLabelMargin);
