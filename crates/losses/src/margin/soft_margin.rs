//! The soft margin loss.

use chainrule_core::{describe, described};
use chainrule_tensor::{Outputs, Real};

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The soft margin loss `L = 1/n Σⱼ ln(1 + exp(-tⱼ yⱼ))` over the n columns, with the gradient `-t/n σ(-t y)`: PyTorch's
/// `SoftMarginLoss`, and [`BinaryCrossEntropy`](struct@crate::BinaryCrossEntropy) for targets of -1 and 1. 0 counts as -1, and so does
/// every column but that of the class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SoftMargin;

describe! {
    /// The binary cross-entropy for targets of -1 and 1.
    SoftMargin = "soft_margin";
    aliases ["soft_margin_loss"];
    formula "L = 1/n Σ ln(1 + exp(-t y)); t = ±1";
    source "PyTorch";
}

impl Criterion for SoftMargin {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::signs("SoftMargin")
    }

    described!(validate);
}

impl ColumnLoss for SoftMargin {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        (-t * y).fast_softplus()
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        -t * (-t * y).fast_sigmoid()
    }
}

column_loss!(SoftMargin);
