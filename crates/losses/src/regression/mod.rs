//! Losses of values: each column is compared with its target value, and the loss of a row is the mean over the columns.

mod huber;
mod log_cosh;
mod mean_absolute_error;
mod mean_absolute_percentage_error;
mod mean_squared_error;
mod mean_squared_logarithmic_error;
mod quantile;
mod smooth_l1;

pub use huber::Huber;
pub use log_cosh::LogCosh;
pub use mean_absolute_error::MeanAbsoluteError;
pub use mean_absolute_percentage_error::MeanAbsolutePercentageError;
pub use mean_squared_error::MeanSquaredError;
pub use mean_squared_logarithmic_error::MeanSquaredLogarithmicError;
pub use quantile::Quantile;
pub use smooth_l1::SmoothL1;

/// The sign of an error: 0 of 0, and NaN of NaN.
#[inline(always)]
fn sign(error: f64) -> f64 {
    let sign = if error > 0.0 { 1.0 } else { error };
    if error < 0.0 { -1.0 } else { sign }
}
