//! Probabilities from outputs.

use chainrule_tensor::Real;
use ndarray::ArrayView1;

/// The probability of a logit.
pub(super) fn sigmoid(z: f64) -> f64 {
    if z >= 0.0 { 1.0 / (1.0 + (-z).exp()) } else { z.exp() / (1.0 + z.exp()) }
}

/// Overwrites `p` with a row of outputs, as probabilities of classes: of logits, their softmax.
pub(super) fn of_classes<T: Real>(y: ArrayView1<'_, T>, from_logits: bool, p: &mut Vec<f64>) {
    p.clear();
    p.extend(y.iter().map(|y| y.as_f64()));
    if !from_logits {
        return;
    }
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
