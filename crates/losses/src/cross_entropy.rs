//! The cross-entropy of a distribution over classes.

use chainrule_core::SettingCheck;
use chainrule_tensor::{Real, Target, TargetView, each, vector};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use crate::{Loss, SettingError, TargetError, loss};

/// The number of rows whose exponentials are computed at once.
const ROWS: usize = 64;

/// The minimum of a probability, as in Keras.
const MIN_PROBABILITY: f64 = 1e-7;

/// The cross-entropy `L = -Σⱼ tⱼ ln pⱼ`, where p is the softmax of the outputs (logits), or the outputs themselves.
///
/// From logits z it is `Σⱼ tⱼ (ln Σ exp(z - max z) - (zⱼ - max z))`, in which nothing overflows, with the gradient
/// `p Σt - t`, as in PyTorch's `CrossEntropyLoss`. Probabilities, of a network that ends in a softmax, are at least 1e-7,
/// as in Keras, and the gradient is `-t / p`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    from_probabilities: bool,
    smoothing: f64,
}

impl CrossEntropy {
    /// For outputs that are already probabilities.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true, ..Self::default() }
    }

    /// Spreads the fraction ε of every target evenly over the n columns: `t ← (1 - ε) t + ε/n`
    /// (Szegedy et al. 2016, section 7), from 0 (the default) to 1; as in PyTorch and Keras.
    #[must_use]
    pub fn label_smoothing(self, smoothing: f64) -> Self {
        Self { smoothing, ..self }
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for CrossEntropy {
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, dy: Option<ArrayViewMut2<'_, T>>) -> T {
        let smoothing = Smoothing {
            kept: T::of(1.0 - self.smoothing),
            share: T::of(self.smoothing),
            even: T::of(self.smoothing / y.ncols() as f64),
        };
        match (self.from_probabilities, dy) {
            (true, dy) => probabilities(y, targets, smoothing, scale, dy),
            (false, Some(dy)) => with_gradient(y, targets, smoothing, scale, dy),
            (false, None) => value(y, targets, smoothing, scale),
        }
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        loss::check(columns, columns, targets)
    }

    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("CrossEntropy").unit_interval("label smoothing", self.smoothing)
    }
}

/// A target t becomes `kept t + even`, where `even` is `share` / the number of columns.
#[derive(Clone, Copy)]
struct Smoothing<T> {
    kept: T,
    share: T,
    even: T,
}

impl<T: Real> Smoothing<T> {
    /// `even Σ v`. Without smoothing 0, even if the sum is infinite.
    #[inline]
    fn spread(self, sum: impl FnOnce() -> T) -> T {
        if self.even == T::zero() { T::zero() } else { self.even * sum() }
    }
}

/// The maximum; NaN if there is one.
fn max<T: Real>(z: impl IntoIterator<Item = T>) -> T {
    z.into_iter().fold(T::neg_infinity(), |max, z| if z > max || z.is_nan() { z } else { max })
}

fn with_gradient<T: Real, Y: Target<T>>(
    z: ArrayView2<'_, T>,
    targets: &[Y],
    smoothing: Smoothing<T>,
    scale: T,
    mut dz: ArrayViewMut2<'_, T>,
) -> T {
    if z.ncols() == 0 {
        return T::zero();
    }
    dz.assign(&z);
    if let Some(rows) = dz.as_slice_mut() {
        return in_place(z, rows, targets, smoothing, scale);
    }
    // Rows that are not contiguous are copied; a trainer's are contiguous.
    let mut rows: Vec<T> = z.iter().copied().collect();
    let loss = in_place(z, &mut rows, targets, smoothing, scale);
    dz.iter_mut().zip(rows).for_each(|(dz, value)| *dz = value);
    loss
}

/// Turns `rows`, a copy of those of `z`, into the rows of `dz`, and returns the loss.
fn in_place<T: Real, Y: Target<T>>(
    z: ArrayView2<'_, T>,
    rows: &mut [T],
    targets: &[Y],
    smoothing: Smoothing<T>,
    scale: T,
) -> T {
    let Smoothing { kept, share, even } = smoothing;
    let columns = z.ncols();
    let mut sum = T::zero();
    // Some rows at a time, whose maxima, normalisers Σ exp(z - max z) and their logarithms are stored here.
    let mut maxima = [T::zero(); ROWS];
    let mut totals = [T::zero(); ROWS];
    let mut logs = [T::zero(); ROWS];
    let parts = z.axis_chunks_iter(Axis(0), ROWS).zip(rows.chunks_mut(ROWS * columns));
    for ((z, dz), targets) in parts.zip(targets.chunks(ROWS)) {
        let count = z.nrows();
        let (maxima, totals, logs) = (&mut maxima[..count], &mut totals[..count], &mut logs[..count]);
        vector::exponentials(dz, columns, maxima, totals);
        each!(logs = |total: totals| total.fast_ln());
        let normalised = z.rows().into_iter().zip(maxima).zip(totals.iter().zip(logs));
        for (((z, &mut max), (&total, &mut ln)), (dz, target)) in
            normalised.zip(dz.chunks_exact_mut(columns).zip(targets))
        {
            // -ln p = ln Σ exp(z - max z) - (z - max z), and dz = p Σt - t.
            let loss = |z: T| ln - (z - max);
            match target.view() {
                TargetView::Class(class) => {
                    sum += kept * loss(z[class]);
                    let (factor, even) = (scale / total, scale * even);
                    dz.iter_mut().for_each(|dz| *dz = *dz * factor - even);
                    dz[class] -= scale * kept;
                }
                TargetView::Values(t) => {
                    sum += kept * z.iter().zip(t).map(|(&z, &t)| t * loss(z)).sum();
                    let factor = scale * (kept * t.iter().copied().sum() + share) / total;
                    dz.iter_mut().zip(t).for_each(|(dz, &t)| *dz = *dz * factor - scale * (kept * t + even));
                }
            }
            sum += smoothing.spread(|| z.iter().map(|&z| loss(z)).sum());
        }
    }
    scale * sum
}

fn value<T: Real, Y: Target<T>>(z: ArrayView2<'_, T>, targets: &[Y], smoothing: Smoothing<T>, scale: T) -> T {
    let kept = smoothing.kept;
    let mut sum = T::zero();
    for (z, target) in z.rows().into_iter().zip(targets) {
        let max = max(z.iter().copied());
        let normaliser = z.iter().map(|&z| (z - max).fast_exp()).sum::<T>().fast_ln();
        let loss = |z: T| normaliser - (z - max);
        sum += match target.view() {
            TargetView::Class(class) => kept * loss(z[class]),
            TargetView::Values(t) => kept * z.iter().zip(t).map(|(&z, &t)| t * loss(z)).sum(),
        };
        sum += smoothing.spread(|| z.iter().map(|&z| loss(z)).sum());
    }
    scale * sum
}

fn probabilities<T: Real, Y: Target<T>>(
    p: ArrayView2<'_, T>,
    targets: &[Y],
    smoothing: Smoothing<T>,
    scale: T,
    mut dp: Option<ArrayViewMut2<'_, T>>,
) -> T {
    let min = T::of(MIN_PROBABILITY);
    let mut sum = T::zero();
    for (row, (p, target)) in p.rows().into_iter().zip(targets).enumerate() {
        let view = target.view();
        let mut dp = dp.as_mut().map(|dp| dp.row_mut(row));
        for (column, &p) in p.iter().enumerate() {
            let t = smoothing.kept * view.at(column) + smoothing.even;
            let p = if p < min { min } else { p };
            if t != T::zero() || p.is_nan() {
                sum -= t * p.fast_ln();
            }
            if let Some(dp) = &mut dp {
                dp[column] = -scale * t / p;
            }
        }
    }
    scale * sum
}
