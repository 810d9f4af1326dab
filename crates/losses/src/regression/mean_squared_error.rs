//! The mean squared error.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The mean squared error `L = 1/n Σⱼ (yⱼ - tⱼ)²` over the n columns, with the gradient `2/n (y - t)`: the mean over
/// all values, as in PyTorch and Keras. Targets are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError;

describe! {
    /// The mean of the squared errors.
    MeanSquaredError = "mean_squared_error";
    aliases ["mse", "mse_loss", "squared_error"];
    formula "L = 1/n Σ (y - t)²";
}

impl Criterion for MeanSquaredError {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("MeanSquaredError")
    }

    described!(validate);
}

impl ColumnLoss for MeanSquaredError {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        (y - t) * (y - t)
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        2.0 * (y - t)
    }
}

column_loss!(MeanSquaredError);
