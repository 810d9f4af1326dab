//! The cross-entropy of the softmax of logits, many rows at a time.

use chainrule_tensor::{Real, Target, TargetView, each, vector};

use super::cross_entropy::Smoothing;
use crate::LossPass;
use crate::total::{sum_pairs, total, weighted};

/// The number of rows whose exponentials are computed at once.
const ROWS: usize = 64;

/// The number of values that are computed at once without a gradient to write them to.
const TILE: usize = 1024;

/// The losses of rows of logits, and their gradient if it is requested. Rows of the class that is ignored have none.
pub(super) fn rows<T: Real, Y: Target<T>>(
    pass: LossPass<'_, T, Y>,
    smoothing: Smoothing,
    ignored: Option<usize>,
) {
    let LossPass { y: z, targets, scale, dy, losses, .. } = pass;
    let columns = z.ncols();
    // Rows that are not contiguous are copied; a trainer's are contiguous.
    let logits = z.as_standard_layout();
    let Some(z) = logits.as_slice().filter(|_| columns > 0) else {
        return losses.fill(0.0);
    };
    match dy {
        None if columns > TILE => {
            for ((z, target), loss) in z.chunks_exact(columns).zip(targets).zip(losses) {
                let target = target.view();
                let ignored = is_class(target, ignored);
                *loss = if ignored { 0.0 } else { Normaliser::of_long(z).loss(z, target, smoothing) };
            }
        }
        None => {
            let mut tile = [T::zero(); TILE];
            let height = TILE / columns;
            let parts = z.chunks(height * columns);
            let rest = targets.chunks(height).zip(losses.chunks_mut(height));
            for (z, (targets, losses)) in parts.zip(rest) {
                let rows = &mut tile[..z.len()];
                rows.copy_from_slice(z);
                Block { columns, z, rows, targets, losses, ignored }.run(smoothing, None);
            }
        }
        Some(mut dz) => {
            dz.assign(&logits);
            if let Some(rows) = dz.as_slice_mut() {
                return Block { columns, z, rows, targets, losses, ignored }.run(smoothing, Some(scale));
            }
            let mut rows = z.to_vec();
            Block { columns, z, rows: &mut rows, targets, losses, ignored }.run(smoothing, Some(scale));
            dz.iter_mut().zip(rows).for_each(|(dz, value)| *dz = value);
        }
    }
}

/// The losses of rows of logits whose targets are taken as they are.
pub(crate) fn of_values<T: Real, Y: Target<T>>(pass: LossPass<'_, T, Y>) {
    let smoothing = Smoothing::new(0.0, pass.y.ncols());
    rows(pass, smoothing, None);
}

/// Rows of logits, with a copy that becomes their gradient.
struct Block<'a, T, Y> {
    columns: usize,
    z: &'a [T],
    rows: &'a mut [T],
    targets: &'a [Y],
    losses: &'a mut [f64],
    ignored: Option<usize>,
}

/// Whether a target is of this class.
#[inline]
fn is_class<T>(target: TargetView<'_, T>, ignored: Option<usize>) -> bool {
    matches!((target, ignored), (TargetView::Class(class), Some(ignored)) if class == ignored)
}

impl<T: Real, Y: Target<T>> Block<'_, T, Y> {
    /// Computes the losses, and where its factor is given, the gradient.
    fn run(self, smoothing: Smoothing, gradient: Option<f64>) {
        let Self { columns, z, rows, targets, losses, ignored } = self;
        // Some rows at a time, whose maxima, normalisers Σ exp(z - max z) and their logarithms are stored here.
        let mut maxima = [T::zero(); ROWS];
        let mut totals = [T::zero(); ROWS];
        let mut logs = [T::zero(); ROWS];
        let parts = z.chunks(ROWS * columns).zip(rows.chunks_mut(ROWS * columns));
        let rest = targets.chunks(ROWS).zip(losses.chunks_mut(ROWS));
        for ((z, dz), (targets, losses)) in parts.zip(rest) {
            let count = targets.len();
            let (maxima, totals, logs) = (&mut maxima[..count], &mut totals[..count], &mut logs[..count]);
            vector::exponentials(dz, columns, maxima, totals);
            each!(logs = |total: totals| total.fast_ln());
            let rows = z.chunks_exact(columns).zip(dz.chunks_exact_mut(columns));
            let normalisers = maxima.iter().zip(totals).zip(logs);
            for (((z, dz), (target, loss)), ((&max, &mut total), &mut ln)) in
                rows.zip(targets.iter().zip(losses)).zip(normalisers)
            {
                let target = target.view();
                if is_class(target, ignored) {
                    *loss = 0.0;
                    dz.fill(T::zero());
                    continue;
                }
                let mut normaliser = Normaliser { max, total, ln };
                if max.is_infinite() {
                    normaliser = normaliser.of_unbounded(z, dz);
                }
                *loss = normaliser.loss(z, target, smoothing);
                if let Some(factor) = gradient {
                    normaliser.gradient(dz, target, smoothing, factor);
                }
            }
        }
    }
}

/// The maximum of a row of logits, its `Σ exp(z - max z)`, and the logarithm of that.
#[derive(Clone, Copy)]
struct Normaliser<T> {
    max: T,
    total: T,
    ln: T,
}

impl<T: Real> Normaliser<T> {
    /// That of a row that is too long to be copied, from one part after the other.
    fn of_long(z: &[T]) -> Self {
        let mut tile = [T::zero(); TILE];
        let max = vector::max(z);
        let total = total(z.chunks(TILE).map(|z| {
            let e = &mut tile[..z.len()];
            each!(e = |z| (z - max).fast_exp());
            vector::sum(e).as_f64()
        }));
        let total = T::of(total);
        let normaliser = Self { max, total, ln: total.fast_ln() };
        if max.is_infinite() { normaliser.of_unbounded(z, &mut []) } else { normaliser }
    }

    /// That of a row whose maximum is infinite, with its exponentials: a single logit of +∞ has all the probability, and where
    /// all logits are -∞ no class has any. Several logits of +∞ have no softmax.
    #[cold]
    fn of_unbounded(self, z: &[T], exponentials: &mut [T]) -> Self {
        let (zero, one) = (T::zero(), T::one());
        let largest = z.iter().filter(|&&z| z == self.max).count();
        let defined = (self.max < zero || largest == 1) && !z.iter().any(|z| z.is_nan());
        let ln = if self.max < zero { T::infinity() } else { zero };
        let certain = |z: T| if z == self.max && z > zero { one } else { zero };
        let value = |z: T| if defined { certain(z) } else { T::nan() };
        exponentials.iter_mut().zip(z).for_each(|(e, &z)| *e = value(z));
        Self { total: one, ln: if defined { ln } else { T::nan() }, ..self }
    }

    /// `Σⱼ tⱼ (ln Σ exp(z - max z) - (zⱼ - max z))`, where t is smoothed.
    #[inline]
    fn loss(&self, z: &[T], target: TargetView<'_, T>, smoothing: Smoothing) -> f64 {
        let Smoothing { kept, even, .. } = smoothing;
        let &Self { max, ln, .. } = self;
        // Of equal infinities the difference is 0.
        let below = |z: T| if z == max { T::zero() } else { z - max };
        let loss = |z: T| (ln - below(z)).as_f64();
        let loss_of_target = match target {
            TargetView::Class(class) => weighted(kept, loss(z[class])),
            // Otherwise NaN would vanish where all targets are 0.
            TargetView::Values(_) if ln.is_nan() => f64::NAN,
            TargetView::Values(t) => sum_pairs(z, t, |z, t| weighted(kept * t.as_f64(), loss(z))),
        };
        if even == 0.0 {
            return loss_of_target;
        }
        loss_of_target + even * sum_pairs(z, z, |z, _| loss(z))
    }

    /// Turns the exponentials `exp(z - max z)` into the gradient `factor (p Σt - t)`, where t is smoothed.
    #[inline]
    fn gradient(&self, dz: &mut [T], target: TargetView<'_, T>, smoothing: Smoothing, factor: f64) {
        let Smoothing { kept, share, even } = smoothing;
        let scale = T::of(factor);
        let (kept, even) = (T::of(kept), T::of(even));
        match target {
            TargetView::Class(class) => {
                let (factor, even) = (scale / self.total, scale * even);
                dz.iter_mut().for_each(|dz| *dz = *dz * factor - even);
                dz[class] -= scale * kept;
            }
            TargetView::Values(t) => {
                let sum = sum_pairs(t, t, |t, _| t.as_f64());
                let factor = scale * T::of(smoothing.kept * sum + share) / self.total;
                dz.iter_mut().zip(t).for_each(|(dz, &t)| *dz = *dz * factor - scale * (kept * t + even));
            }
        }
    }
}
