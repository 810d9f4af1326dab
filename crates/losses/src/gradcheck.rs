//! The gradient check: whether a loss's gradient is the derivative of its value.

use ndarray::{Array2, ArrayView2};

use crate::{Loss, TargetError};

/// The step of the difference quotient, where the errors of rounding and of truncation balance.
const STEP: f64 = 6e-6;

/// The maximum difference, relative to the largest gradient or to 1.
const TOLERANCE: f64 = 1e-6;

/// Compares the gradient of `loss` at the outputs `y` with central differences, in double precision, and returns the
/// largest relative difference. It also checks that the value is the same without a gradient. Keep `y` away from
/// points where the loss has a kink or is clipped.
///
/// # Errors
///
/// [`GradientError`] for the first value that differs, or if the targets do not fit the outputs.
pub fn gradient<Y>(
    loss: &impl Loss<f64, Y>,
    y: ArrayView2<'_, f64>,
    targets: &[Y],
) -> Result<f64, GradientError> {
    if targets.len() != y.nrows() {
        return Err(GradientError::Rows { rows: y.nrows(), targets: targets.len() });
    }
    loss.check(y.ncols(), targets)?;
    let scale = 0.7;
    let mut dy = Array2::from_elem(y.dim(), f64::NAN);
    let with = loss.loss(y, targets, scale, Some(dy.view_mut()));
    let without = loss.loss(y, targets, scale, None);
    let same = (with - without).abs() <= 1e-12 * without.abs().max(1.0);
    if !same {
        return Err(GradientError::Value { with, without });
    }
    let size = dy.iter().fold(1.0f64, |max, v| max.max(v.abs()));
    let mut moved = y.to_owned();
    let mut worst = 0.0f64;
    for ((row, column), &analytic) in dy.indexed_iter() {
        let mut at = |value: f64| {
            moved[[row, column]] = value;
            loss.loss(moved.view(), targets, scale, None)
        };
        let middle = y[[row, column]];
        let numeric = (at(middle + STEP) - at(middle - STEP)) / (2.0 * STEP);
        at(middle);
        let error = (analytic - numeric).abs() / size;
        if error.is_nan() || error > TOLERANCE {
            return Err(GradientError::Wrong { row, column, analytic, numeric });
        }
        worst = worst.max(error);
    }
    Ok(worst)
}

/// What is wrong with a loss.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GradientError {
    /// The gradient is not the derivative of the value.
    #[error(
        "the gradient of y[{row}, {column}] is {numeric:e} by differences, but the loss returns {analytic:e}"
    )]
    Wrong {
        /// The row of the output.
        row: usize,
        /// The column of the output.
        column: usize,
        /// The loss's gradient.
        analytic: f64,
        /// The difference quotient.
        numeric: f64,
    },
    /// The value depends on whether the gradient is requested.
    #[error("the loss is {with:e} with the gradient and {without:e} without")]
    Value {
        /// The value with the gradient.
        with: f64,
        /// The value without.
        without: f64,
    },
    /// The numbers of targets and rows differ.
    #[error("there are {targets} targets for {rows} rows of outputs: give one per row")]
    Rows {
        /// The number of rows of the outputs.
        rows: usize,
        /// The number of targets.
        targets: usize,
    },
    /// The targets do not fit the outputs.
    #[error(transparent)]
    Target(#[from] TargetError),
}
