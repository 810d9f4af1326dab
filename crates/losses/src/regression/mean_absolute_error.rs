//! The mean absolute error.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use super::sign;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The mean absolute error `L = 1/n Σⱼ |yⱼ - tⱼ|` over the n columns, with the gradient `1/n sign(y - t)`, 0 where they are
/// equal: PyTorch's `L1Loss`. Targets are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanAbsoluteError;

describe! {
    /// The mean of the absolute errors.
    MeanAbsoluteError = "mean_absolute_error";
    aliases ["mae", "l1", "l1_loss"];
    formula "L = 1/n Σ |y - t|";
}

impl Criterion for MeanAbsoluteError {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("MeanAbsoluteError")
    }

    described!(validate);
}

impl ColumnLoss for MeanAbsoluteError {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        (y - t).abs()
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        sign(y - t)
    }
}

column_loss!(MeanAbsoluteError);
