//! The traits that metrics implement.

use std::fmt::Debug;

use chainrule_tensor::{Real, Target, TargetView};
use ndarray::{ArrayView1, ArrayView2};

/// A number over all samples since the last [`reset`](Self::reset).
///
/// What a metric counts is in [`Measure`], since it depends on the types of outputs and targets.
pub trait Metric: Debug + Send + Sync {
    /// The metric's name in a history, such as `"accuracy"`.
    fn name(&self) -> &'static str;

    /// Forgets all samples.
    fn reset(&mut self);

    /// The value over all samples; NaN if there are none.
    fn value(&self) -> f64;

    /// What was counted since the last reset, as numbers from which [`restore`](Self::restore) goes on; `None`, the default,
    /// if this metric cannot tell.
    ///
    /// A trainer that stops in the middle of an epoch keeps them, also in a checkpoint. Without them, the metric of that epoch
    /// covers only the samples after the interruption.
    fn counts(&self) -> Option<Vec<f64>> {
        None
    }

    /// Replaces what was counted by what [`counts`](Self::counts) returned; `None`, and nothing is changed, if these are not the
    /// counts of such a metric.
    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        let _ = counts;
        None
    }
}

/// A metric of outputs of type `T` and targets of type `Y`.
pub trait Measure<T: Real, Y>: Metric {
    /// Adds a batch of outputs `y`, `[rows, columns]`, and their targets, one a row.
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]);
}

/// A metric to which another of its kind can be added, as if its batches had been counted here.
pub trait Mergeable {
    /// Adds the counts of `other`.
    fn merge(&mut self, other: &Self);
}

/// The index of the maximum, the first of equal ones; `None` if there are no values, or if one is NaN.
#[inline]
pub(crate) fn argmax<T: Real>(row: ArrayView1<'_, T>) -> Option<usize> {
    match row.as_slice() {
        Some(row) => first_maximum(row.iter().copied()),
        None => first_maximum(row.iter().copied()),
    }
}

#[inline(always)]
fn first_maximum<T: Real>(mut values: impl Iterator<Item = T>) -> Option<usize> {
    let first = values.next()?;
    let mut best = 0;
    let mut maximum = first;
    let mut nan = first.is_nan();
    // Without branches, since no CPU can predict which value is larger.
    for (index, value) in (1..).zip(values) {
        nan |= value.is_nan();
        let better = value > maximum;
        best = if better { index } else { best };
        maximum = if better { value } else { maximum };
    }
    (!nan).then_some(best)
}

/// The class of a target: the class itself, or the index of a distribution's maximum; for a single value, whether it is
/// above 0.5.
pub(crate) fn class<T: Real, Y: Target<T>>(target: &Y) -> Option<usize> {
    match target.view() {
        TargetView::Class(class) => Some(class),
        TargetView::Values(&[value]) => Some(usize::from(value > T::of(0.5))),
        TargetView::Values(values) => argmax(values.into()),
    }
}

/// The predicted class of an output; with a single column, 1 above the threshold and else 0.
#[inline]
pub(crate) fn predicted<T: Real>(row: ArrayView1<'_, T>, threshold: f64) -> Option<usize> {
    match row.len() {
        1 if row[0].is_nan() => None,
        1 => Some(usize::from(row[0] > T::of(threshold))),
        _ => argmax(row),
    }
}
