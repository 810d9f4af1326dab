//! How much outputs and targets overlap, in each row or in a whole batch.

use chainrule_tensor::{Real, Target};

use crate::total::weighted;
use crate::{Criterion, LossPass, Row, each_row};

/// The sums of which an overlap is made: `Σ t y`, `Σ t` and `Σ y`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) both: f64,
    pub(super) target: f64,
    pub(super) output: f64,
}

impl Sums {
    fn of(y: &[f64], t: &[f64]) -> Self {
        y.iter().zip(t).fold(Self::default(), |sums, (y, t)| sums.plus(*y, *t))
    }

    fn plus(self, y: f64, t: f64) -> Self {
        Self { both: self.both + weighted(t, y), target: self.target + t, output: self.output + y }
    }
}

/// A loss of these sums, and its derivatives with respect to `Σ t y` and `Σ y`.
pub(super) struct Overlap {
    pub(super) loss: f64,
    pub(super) of_both: f64,
    pub(super) of_output: f64,
}

/// The loss of each row alone.
pub(super) fn each_overlap<T: Real, Y: Target<T>>(
    loss: &impl Criterion,
    pass: LossPass<'_, T, Y>,
    overlap: impl Fn(Sums) -> Overlap,
) {
    each_row(loss.domain(), pass, &|Row { y, t, slopes, .. }| {
        let Overlap { loss, of_both, of_output } = overlap(Sums::of(y, t));
        slopes.iter_mut().zip(t).for_each(|(slope, t)| *slope = of_both * t + of_output);
        loss
    });
}

/// The loss of all rows together, which is that of each row: so their mean is.
pub(super) fn batch_overlap<T: Real, Y: Target<T>>(
    loss: &impl Criterion,
    pass: LossPass<'_, T, Y>,
    overlap: impl Fn(Sums) -> Overlap,
) {
    let LossPass { y, targets, scale, mut dy, losses, scratch } = pass;
    let (rows, columns) = y.dim();
    let domain = loss.domain();
    scratch.reserve(columns);
    let wanted = &mut scratch[..columns];
    let mut sums = Sums::default();
    for (y, target) in y.rows().into_iter().zip(targets) {
        domain.read(target.view(), 0, columns, wanted);
        let weight = target.weight();
        for (y, t) in y.iter().zip(&*wanted) {
            sums.both += weighted(weight * t, y.as_f64());
            sums.target += weight * t;
            sums.output += weighted(weight, y.as_f64());
        }
    }
    let Overlap { loss, of_both, of_output } = overlap(sums);
    losses.fill(loss);
    let Some(dy) = &mut dy else { return };
    let factor = scale * rows as f64;
    for (mut dy, target) in dy.rows_mut().into_iter().zip(targets) {
        domain.read(target.view(), 0, columns, wanted);
        let factor = factor * target.weight();
        for (dy, t) in dy.iter_mut().zip(&*wanted) {
            *dy = T::of(factor * (of_both * t + of_output));
        }
    }
}
