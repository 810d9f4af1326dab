//! Probabilities from outputs.

use chainrule_tensor::Real;
use ndarray::ArrayView1;

/// The probability of a logit.
pub(super) fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

/// Appends a row of outputs to `p`; if they are the logits of classes, their softmax.
pub(super) fn push_probabilities<T: Real>(y: ArrayView1<'_, T>, logits: bool, p: &mut Vec<f64>) {
    let first = p.len();
    p.extend(y.iter().map(|y| y.as_f64()));
    if logits {
        softmax(&mut p[first..]);
    }
}

/// Replaces logits by their probabilities.
pub(super) fn softmax(p: &mut [f64]) {
    let largest = p.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    // An infinite logit is certain, as are several of them together.
    let exp = |z: f64| if z == largest { 1.0 } else { (z - largest).exp() };
    p.iter_mut().for_each(|z| *z = exp(*z));
    let sum: f64 = p.iter().sum();
    p.iter_mut().for_each(|p| *p /= sum);
}

/// The logarithm of the sum of the exponentials of a row.
pub(super) fn log_sum_exp(z: &[f64]) -> f64 {
    let largest = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest.is_infinite() {
        return largest;
    }
    largest + z.iter().map(|z| (z - largest).exp()).sum::<f64>().ln()
}
