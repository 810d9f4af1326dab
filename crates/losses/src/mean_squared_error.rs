//! The mean squared error.

use chainrule_tensor::Outputs;

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The mean squared error `L = 1/n Σⱼ (yⱼ - tⱼ)²` over the n columns, with the gradient `2/n (y - t)`: the mean over
/// all values, as in PyTorch and Keras. Targets are finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError;

impl Criterion for MeanSquaredError {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::finite("MeanSquaredError")
    }
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
