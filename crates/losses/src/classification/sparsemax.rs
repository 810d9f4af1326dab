//! The losses of the sparsemax.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::total::weighted;
use crate::{ColumnLoss, Criterion, Domain, Row, VectorLoss, column_loss, vector_loss};

/// The loss of the sparsemax, `L = Σⱼ (pⱼ - tⱼ) zⱼ + ½ Σⱼ (tⱼ² - pⱼ²)`, where p is the sparsemax of the outputs, their projection on
/// the probabilities (Martins and Astudillo 2016), with the gradient `p - t`. It is 0 where the class is ahead of all others by 1.
/// As optax' `multiclass_sparsemax_loss`, and for targets that are distributions. Targets are from 0 to 1, and their sum is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sparsemax;

describe! {
    /// The loss of the sparsemax: the projection of the outputs on the probabilities.
    Sparsemax = "sparsemax";
    aliases ["multiclass_sparsemax", "multiclass_sparsemax_loss"];
    formula "L = Σ (p - t) z + ½ Σ (t² - p²); p = sparsemax(z)";
    source "Martins and Astudillo 2016";
}

impl Criterion for Sparsemax {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("Sparsemax")
    }

    described!(validate);
}

/// The threshold τ of the projection `max(z - τ, 0)`, whose sum is 1: by leaving out what is below the threshold of the rest, until
/// nothing is (Michelot 1986). Outputs are given less their maximum.
fn threshold(z: impl Iterator<Item = f64> + Clone) -> f64 {
    // Only outputs within 1 of the maximum can be above it.
    let mut low = -1.0;
    let mut count = usize::MAX;
    loop {
        let above = z.clone().filter(|&z| z > low);
        let (sum, found) = above.fold((0.0, 0usize), |(sum, count), z| (sum + z, count + 1));
        if found >= count || found == 0 {
            return low;
        }
        count = found;
        low = (sum - 1.0) / found as f64;
    }
}

impl VectorLoss for Sparsemax {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let max = y.iter().fold(f64::NEG_INFINITY, |max, &y| if y > max || y.is_nan() { y } else { max });
        if !max.is_finite() {
            slopes.fill(f64::NAN);
            return f64::NAN;
        }
        let threshold = threshold(y.iter().map(|y| y - max));
        let mut loss = 0.0;
        let mut sum = 0.0;
        for ((slope, &y), &t) in slopes.iter_mut().zip(y).zip(t) {
            let z = y - max;
            let p = (z - threshold).max(0.0);
            loss += weighted(p - t, z) + 0.5 * (t * t - p * p);
            sum += t;
            *slope = p - t;
        }
        loss + weighted(1.0 - sum, max)
    }
}

vector_loss!(Sparsemax);

/// The loss of the sparsemax of one output, `L = 1/n Σⱼ (tⱼ s(-zⱼ) + (1 - tⱼ) s(zⱼ))` over the n columns, with `s(x) = 0` up to -1,
/// `x` from 1 on, and `¼ (x + 1)²` between: a [`BinaryCrossEntropy`](struct@crate::BinaryCrossEntropy) that is 0 where the output is
/// right by 1. As optax' `sparsemax_loss`. Targets are from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinarySparsemax;

describe! {
    /// The loss of the sparsemax of independent binary outputs.
    BinarySparsemax = "binary_sparsemax";
    aliases ["sparsemax_loss", "binary_sparsemax_loss"];
    formula "L = 1/n Σ (t s(-z) + (1 - t) s(z)); s(x) = ¼ (x + 1)² if |x| < 1, else max(x, 0)";
    source "Martins and Astudillo 2016";
}

impl Criterion for BinarySparsemax {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("BinarySparsemax").yes_or_no()
    }

    described!(validate);
}

#[inline(always)]
fn sparse_plus(x: f64) -> f64 {
    let middle = 0.25 * (x + 1.0) * (x + 1.0);
    let low = if x <= -1.0 { 0.0 } else { middle };
    if x >= 1.0 { x } else { low }
}

impl ColumnLoss for BinarySparsemax {
    #[inline(always)]
    fn value(&self, z: f64, t: f64) -> f64 {
        weighted(t, sparse_plus(-z)) + weighted(1.0 - t, sparse_plus(z))
    }

    #[inline(always)]
    fn derivative(&self, z: f64, t: f64) -> f64 {
        let middle = 0.5 * (z + 1.0);
        let low = if z <= -1.0 { 0.0 } else { middle };
        (if z >= 1.0 { 1.0 } else { low }) - t
    }
}

column_loss!(BinarySparsemax);
