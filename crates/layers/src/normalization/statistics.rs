//! The mean and the variance of channels.

use chainrule_core::{Plan, ShapeError};
use chainrule_tensor::{Real, Shape, sum_channels};

/// Checks the `ε` that is added to a variance so that its root is above 0.
pub(super) fn check_epsilon<T: Real>(epsilon: f64, input: Shape, plan: &Plan) -> Result<(), ShapeError> {
    // In the model's precision, in which a very small number is 0.
    if T::of(epsilon) >= T::min_positive_value() && T::of(epsilon).is_finite() {
        return Ok(());
    }
    Err(plan.error(input, "any samples, with a positive epsilon,", "choose an epsilon such as 1e-5"))
}

/// The mean and the variance of the `n` values of each channel of `[outer, channels, inner]`; `rest` is scratch memory.
///
/// The second pass corrects the mean of the first (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
/// variance"), so that the variance of equal values is 0, however large they are.
pub(super) fn moments<T: Real>(
    inner: usize,
    x: &[T],
    n: usize,
    mean: &mut [T],
    variance: &mut [T],
    rest: &mut [T],
) {
    let n = T::of(n.max(1) as f64);
    mean.fill(T::zero());
    sum_channels!(inner, [mean] += |[x], []| [x]);
    mean.iter_mut().for_each(|mean| *mean /= n);
    variance.fill(T::zero());
    rest.fill(T::zero());
    sum_channels!(inner, [variance, rest] += |[x], [mean]| [(x - mean) * (x - mean), x - mean]);
    for ((mean, variance), &rest) in mean.iter_mut().zip(variance).zip(&*rest) {
        (*mean, *variance) = corrected(*mean, *variance, rest, n);
    }
}

/// Mean and variance of `n` values, from an approximate mean, the sum of the squared differences to it, and the sum of the
/// differences.
pub(super) fn corrected<T: Real>(mean: T, squares: T, rest: T, n: T) -> (T, T) {
    let rest = rest / n;
    (mean + rest, (squares / n - rest * rest).max(T::zero()))
}
