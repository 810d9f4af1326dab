//! The soft margin loss for several labels.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real};

use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The soft margin loss for several labels `L = -1/n Σⱼ wⱼ (tⱼ ln σ(yⱼ) + (1 - tⱼ) ln(1 - σ(yⱼ)))` over the n columns, with the weights
/// w of the labels, and the gradient `w/n (σ(y) - t)`: PyTorch's `MultiLabelSoftMarginLoss`. Unlike in
/// [`BinaryCrossEntropy`](struct@crate::BinaryCrossEntropy), a class is always a column of its own. Targets are from 0 to 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiLabelSoftMargin {
    /// The weight of each label, if they have any.
    pub weight: Option<Vec<f64>>,
}

describe! {
    /// The binary cross-entropy of several labels, each with a weight.
    MultiLabelSoftMargin = "multi_label_soft_margin";
    aliases ["multi_label_soft_margin_loss", "multilabel_soft_margin"];
    formula "L = -1/n Σ w (t ln σ(y) + (1 - t) ln(1 - σ(y)))";
    source "PyTorch";
    settings {
        /// The weight of each label.
        weight: none, Range::NOT_NEGATIVE;
    }
}

impl Criterion for MultiLabelSoftMargin {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("MultiLabelSoftMargin").weighted_by(self.weight.as_deref())
    }

    described!(validate);
}

impl VectorLoss for MultiLabelSoftMargin {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = y.len() as f64;
        let mut loss = 0.0;
        for (column, (&y, &t)) in y.iter().zip(t).enumerate() {
            let weight = self.weight.as_ref().map_or(1.0, |weight| weight[column]) / n;
            let value = weighted(t, (-y).fast_softplus()) + weighted(1.0 - t, y.fast_softplus());
            loss += weighted(weight, value);
            slopes[column] = weight * ((1.0 - t) * y.fast_sigmoid() - t * (-y).fast_sigmoid());
        }
        loss
    }
}

vector_loss!(MultiLabelSoftMargin);
