//! The cross-entropy of a distribution over classes.

use chainrule_tensor::{Real, Target, Wanted, vector};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Loss, TargetError, loss};

/// Keras keeps probabilities this far from 0.
const LEAST: f64 = 1e-7;

/// `L = -Σⱼ tⱼ ln pⱼ`, where p is the softmax of the outputs (logits), or the outputs themselves.
///
/// From logits z it is `Σⱼ tⱼ (ln Σ exp(z - max z) - (zⱼ - max z))`, in which nothing overflows, with the
/// gradient `p Σt - t`; as PyTorch's `CrossEntropyLoss`. From probabilities, for a network that ends in a softmax, they are
/// kept at 1e-7 or more, as in Keras, and the gradient is `-t / p`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropy {
    from_probabilities: bool,
}

impl CrossEntropy {
    /// For outputs that are probabilities already.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true }
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for CrossEntropy {
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, dy: Option<ArrayViewMut2<'_, T>>) -> T {
        match (self.from_probabilities, dy) {
            (true, dy) => probabilities(y, targets, scale, dy),
            (false, Some(dy)) => with_gradient(y, targets, scale, dy),
            (false, None) => value(y, targets, scale),
        }
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        loss::check(columns, columns, targets)
    }
}

/// The greatest value; NaN if there is any.
fn max<T: Real>(z: impl IntoIterator<Item = T>) -> T {
    z.into_iter().fold(T::neg_infinity(), |max, z| if z > max || z.is_nan() { z } else { max })
}

fn with_gradient<T: Real, Y: Target<T>>(
    z: ArrayView2<'_, T>,
    targets: &[Y],
    scale: T,
    mut dz: ArrayViewMut2<'_, T>,
) -> T {
    let mut sum = T::zero();
    // z - max z, whose wanted entries are all that the loss needs besides the normaliser ...
    for ((z, mut dz), target) in z.rows().into_iter().zip(dz.rows_mut()).zip(targets) {
        let max = max(z.iter().copied());
        dz.iter_mut().zip(z).for_each(|(dz, &z)| *dz = z - max);
        match target.wanted() {
            Wanted::Class(class) => sum -= dz[class],
            Wanted::Values(t) => sum -= dz.iter().zip(t).map(|(&z, &t)| z * t).sum(),
        }
    }
    // ... then its exponential, for the whole batch at once ...
    vector::apply(
        dz.view_mut(),
        #[inline(always)]
        |z| z.fast_exp(),
    );
    // ... then p Σt - t.
    for (mut dz, target) in dz.rows_mut().into_iter().zip(targets) {
        let total: T = dz.iter().copied().sum();
        match target.wanted() {
            Wanted::Class(class) => {
                sum += total.fast_ln();
                let factor = scale / total;
                dz.iter_mut().for_each(|dz| *dz *= factor);
                dz[class] -= scale;
            }
            Wanted::Values(t) => {
                let mass: T = t.iter().copied().sum();
                sum += mass * total.fast_ln();
                let factor = scale * mass / total;
                dz.iter_mut().zip(t).for_each(|(dz, &t)| *dz = *dz * factor - scale * t);
            }
        }
    }
    scale * sum
}

fn value<T: Real, Y: Target<T>>(z: ArrayView2<'_, T>, targets: &[Y], scale: T) -> T {
    let mut sum = T::zero();
    for (z, target) in z.rows().into_iter().zip(targets) {
        let max = max(z.iter().copied());
        let normaliser = z.iter().map(|&z| (z - max).fast_exp()).sum::<T>().fast_ln();
        sum += match target.wanted() {
            Wanted::Class(class) => normaliser - (z[class] - max),
            Wanted::Values(t) => z.iter().zip(t).map(|(&z, &t)| t * (normaliser - (z - max))).sum(),
        };
    }
    scale * sum
}

fn probabilities<T: Real, Y: Target<T>>(
    p: ArrayView2<'_, T>,
    targets: &[Y],
    scale: T,
    mut dp: Option<ArrayViewMut2<'_, T>>,
) -> T {
    let least = T::of(LEAST);
    let mut sum = T::zero();
    for (row, (p, target)) in p.rows().into_iter().zip(targets).enumerate() {
        let wanted = target.wanted();
        let mut dp = dp.as_mut().map(|dp| dp.row_mut(row));
        for (column, &p) in p.iter().enumerate() {
            let t = wanted.at(column);
            let kept = if p < least { least } else { p };
            if t != T::zero() || p.is_nan() {
                sum -= t * kept.fast_ln();
            }
            if let Some(dp) = &mut dp {
                dp[column] = -scale * t / kept;
            }
        }
    }
    scale * sum
}
