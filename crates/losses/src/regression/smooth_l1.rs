//! The smooth L1 loss.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::sign;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The smooth L1 loss `L = 1/n Σⱼ s(yⱼ - tⱼ)` over the n columns, with `s(e) = e²/2β` where `|e| < β`, and `|e| - β/2` beyond
/// (Girshick 2015): [`Huber`](crate::Huber) divided by β, so that its slope far away is 1. With β = 0 it is the
/// [`MeanAbsoluteError`](crate::MeanAbsoluteError). As in PyTorch. Targets are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SmoothL1 {
    /// Where the loss becomes linear, β; at least 0.
    pub beta: f64,
}

impl Default for SmoothL1 {
    fn default() -> Self {
        Self { beta: 1.0 }
    }
}

describe! {
    /// The absolute error, made smooth around 0.
    SmoothL1 = "smooth_l1";
    aliases ["smooth_l1_loss"];
    formula "L = 1/n Σ s(y - t); s(e) = e²/2β if |e| < β, else |e| - β/2";
    source "Girshick 2015";
    settings {
        /// Where the loss becomes linear, β.
        beta: 1.0, Range::NOT_NEGATIVE;
    }
}

impl Criterion for SmoothL1 {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("SmoothL1")
    }

    described!(validate);
}

impl ColumnLoss for SmoothL1 {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        let error = (y - t).abs();
        let quadratic = 0.5 * error * error / self.beta;
        if error < self.beta { quadratic } else { error - 0.5 * self.beta }
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        let error = y - t;
        let slope = error / self.beta;
        if error.abs() < self.beta { slope } else { sign(error) }
    }
}

column_loss!(SmoothL1);
