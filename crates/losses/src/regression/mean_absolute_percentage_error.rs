//! The mean absolute percentage error.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use super::sign;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The minimum of the absolute target that is divided by, as in Keras.
const MIN_TARGET: f64 = 1e-7;

/// The mean absolute percentage error `L = 100/n Σⱼ |yⱼ - tⱼ| / |tⱼ|` over the n columns, in per cent, with the gradient
/// `100/n sign(y - t) / |t|`. As in Keras, `|t|` is at least 1e-7: a target of 0 makes the loss large, but not infinite. Targets
/// are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanAbsolutePercentageError;

describe! {
    /// The mean of the absolute errors, in per cent of the targets.
    MeanAbsolutePercentageError = "mean_absolute_percentage_error";
    aliases ["mape"];
    formula "L = 100/n Σ |y - t| / |t|";
    source "Keras";
}

impl Criterion for MeanAbsolutePercentageError {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("MeanAbsolutePercentageError")
    }

    described!(validate);
}

/// `100 / |t|`.
#[inline(always)]
fn factor(t: f64) -> f64 {
    let size = t.abs();
    100.0 / if size < MIN_TARGET { MIN_TARGET } else { size }
}

impl ColumnLoss for MeanAbsolutePercentageError {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        factor(t) * (y - t).abs()
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        factor(t) * sign(y - t)
    }
}

column_loss!(MeanAbsolutePercentageError);
