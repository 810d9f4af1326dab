//! What running means `m ← β m + (1 - β) x` from zeros have in common.

use crate::Real;

/// `1 - βᵗ` with the number t of the step: what a running mean is divided by, since it began with zero.
pub(crate) fn correction(beta: f64, t: f64) -> f64 {
    1.0 - beta.powf(t)
}

/// A bound of a running mean after it has taken in a number with this bound.
pub(crate) fn mean_bound(mean: &mut f64, new: f64) -> f64 {
    *mean = mean.max(new);
    *mean
}

/// A bound of `x / (something + epsilon)`, with a bound of x: infinity where epsilon may count as 0.
pub(crate) fn quotient_bound<T: Real>(x: f64, epsilon: f64) -> f64 {
    if T::of(epsilon) < T::min_positive_value() { f64::INFINITY } else { x / epsilon }
}
