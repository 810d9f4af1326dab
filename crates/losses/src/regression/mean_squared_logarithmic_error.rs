//! The mean squared logarithmic error.

use chainrule_core::{describe, described};
use chainrule_tensor::{Outputs, Real};

use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The minimum of an output and of a target, as in Keras.
const MIN: f64 = 1e-7;

/// The mean squared logarithmic error `L = 1/n Σⱼ (ln(1 + yⱼ) - ln(1 + tⱼ))²` over the n columns, with the gradient
/// `2/n (ln(1 + y) - ln(1 + t)) / (1 + y)`: of the ratio rather than of the difference. As in Keras, outputs and targets are at
/// least 1e-7, and an output below that has no gradient. Targets are at least 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredLogarithmicError;

describe! {
    /// The mean of the squared errors of the logarithms.
    MeanSquaredLogarithmicError = "mean_squared_logarithmic_error";
    aliases ["msle"];
    formula "L = 1/n Σ (ln(1 + y) - ln(1 + t))²";
    source "Keras";
}

impl Criterion for MeanSquaredLogarithmicError {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::not_negative("MeanSquaredLogarithmicError")
    }

    described!(validate);
}

#[inline(always)]
fn at_least_min(x: f64) -> f64 {
    if x < MIN { MIN } else { x }
}

/// `ln(1 + y) - ln(1 + t)`.
#[inline(always)]
fn error(y: f64, t: f64) -> f64 {
    at_least_min(y).fast_ln_1p() - at_least_min(t).fast_ln_1p()
}

impl ColumnLoss for MeanSquaredLogarithmicError {
    #[inline(always)]
    fn value(&self, y: f64, t: f64) -> f64 {
        error(y, t) * error(y, t)
    }

    #[inline(always)]
    fn derivative(&self, y: f64, t: f64) -> f64 {
        let slope = 2.0 * error(y, t) / (1.0 + y);
        if y < MIN { 0.0 } else { slope }
    }
}

column_loss!(MeanSquaredLogarithmicError);
