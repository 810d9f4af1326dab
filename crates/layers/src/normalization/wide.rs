//! Normalisation of values whose squares are too large for a number.
//!
//! `1 / √(σ² + ε)` is a number where `σ²` is not: in `f32` from a deviation of 2 · 10¹⁹ on. These functions compute it from values that
//! are scaled by a power of two, and only then.

use chainrule_tensor::Real;

/// A power of two, and its inverse, with which the largest of the values is between 1 and 2.
fn scale<T: Real>(x: &[T]) -> (f64, f64) {
    let max = x.iter().fold(0.0, |max: f64, x| max.max(x.as_f64().abs()));
    let unit = max.log2().floor().exp2();
    (unit, unit.recip())
}

/// The two parts of the mean, and `1 / √(σ² + ε)`.
#[cold]
pub(super) fn wide_moments<T: Real>(x: &[T], epsilon: T) -> [T; 3] {
    let (unit, inverse) = scale(x);
    let n = x.len() as f64;
    let first = x[0].as_f64() * inverse;
    let rest = || x.iter().map(|x| x.as_f64() * inverse - first);
    let mean = rest().sum::<f64>() / n;
    let variance = rest().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    let base = T::of((first + mean) * unit);
    let offset = T::of((first - base.as_f64() * inverse + mean) * unit);
    [base, offset, T::of(inverse / (variance + epsilon.as_f64() * inverse * inverse).sqrt())]
}

/// `1 / √(Σ x² / n + ε)`.
#[cold]
pub(super) fn wide_root<T: Real>(x: &[T], n: T, epsilon: T) -> T {
    let (_, inverse) = scale(x);
    let squares: f64 = x.iter().map(|x| x.as_f64() * inverse).map(|x| x * x).sum();
    T::of(inverse / (squares / n.as_f64() + epsilon.as_f64() * inverse * inverse).sqrt())
}
