//! Sparsemax: a sparse alternative to softmax.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape, vector};

use super::softmax::{SoftmaxCache, softmax_layers};

/// The Euclidean projection of `z` onto the simplex, over the last axis: `aᵢ = max(zᵢ - τ, 0)` with the τ that makes the sum 1
/// (Martins and Astudillo 2016). A sparse softmax: most outputs are exactly 0.
///
/// Backward, `dzᵢ = daᵢ - mean(da)` where `aᵢ > 0`, the mean over these, and 0 elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sparsemax;

describe! {
    /// The nearest point of the simplex, over the last axis.
    Sparsemax = "sparsemax";
    formula "aᵢ = max(zᵢ - τ, 0)";
    source "Martins and Astudillo 2016";
}

softmax_layers! { Sparsemax: sparsemax, sparsemax_gradient; }

fn sparsemax<T: Real>(values: &mut [T], classes: usize) {
    for row in values.chunks_exact_mut(classes) {
        let max = vector::max(row);
        row.iter_mut().for_each(|z| *z -= max);
        // Michelot 1986: compute τ over the values above the last τ until no value drops out. Values that are 1 or more
        // below the maximum are excluded from the start.
        let mut tau = -T::one();
        let mut count = usize::MAX;
        loop {
            let above = row.iter().filter(|&&z| z > tau);
            let (sum, left) = above.fold((0.0, 0), |(sum, left), &z| (sum + z.as_f64(), left + 1));
            if left == 0 || left >= count {
                break;
            }
            tau = T::of((sum - 1.0) / left as f64);
            count = left;
        }
        row.iter_mut().for_each(|z| *z = if *z <= tau { T::zero() } else { *z - tau });
    }
}

fn sparsemax_gradient<T: Real>(a: &[T], d: &mut [T], classes: usize) {
    for (a, d) in a.chunks_exact(classes).zip(d.chunks_exact_mut(classes)) {
        let inside = a.iter().zip(&*d).filter(|(a, _)| **a > T::zero());
        let (sum, count) = inside.fold((0.0, 0), |(sum, count), (_, &d)| (sum + d.as_f64(), count + 1));
        let mean = T::of(sum / f64::from(count.max(1)));
        for (d, &a) in d.iter_mut().zip(a) {
            *d = if a > T::zero() { *d - mean } else { T::zero() };
        }
    }
}
