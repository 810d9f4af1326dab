//! The logarithm of the softmax of a row, in double precision.

/// Writes `ln pⱼ = zⱼ - max z - ln Σ exp(z - max z)`.
///
/// A single logit of +∞ has all the probability, and where all logits are -∞ no class has any; several of +∞ have no softmax, and
/// give NaN.
pub(crate) fn log_softmax(z: &[f64], ln: &mut [f64]) {
    let max = z.iter().fold(f64::NEG_INFINITY, |max, &z| if z > max || z.is_nan() { z } else { max });
    if max.is_infinite() {
        let largest = z.iter().filter(|&&z| z == max).count();
        let defined = (max < 0.0 || largest == 1) && !z.iter().any(|z| z.is_nan());
        let certain = |z: f64| if z == max && max > 0.0 { 0.0 } else { f64::NEG_INFINITY };
        ln.iter_mut().zip(z).for_each(|(ln, &z)| *ln = if defined { certain(z) } else { f64::NAN });
        return;
    }
    let total: f64 = z.iter().map(|z| (z - max).exp()).sum();
    let ln_total = total.ln();
    ln.iter_mut().zip(z).for_each(|(ln, &z)| *ln = (z - max) - ln_total);
}
