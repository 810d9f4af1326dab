//! The traits that metrics implement.

use std::fmt::Debug;

use chainrule_core::SettingError;
use chainrule_tensor::{Outputs, Real, TargetError};
use ndarray::ArrayView2;

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

    /// Checks the settings before training starts.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    fn validate(&self) -> Result<(), SettingError> {
        Ok(())
    }
}

/// A metric of outputs of type `T` and targets of type `Y`.
///
/// A metric of classes implements [`ClassMetric`](crate::ClassMetric) instead, which knows of thresholds and labels.
pub trait Measure<T: Real, Y>: Metric {
    /// Adds a batch of outputs `y`, `[rows, columns]`, and their targets, one a row.
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]);

    /// Checks that the metric is defined for targets of outputs with this many columns. The trainer calls it for every batch,
    /// before the batch is trained on. All targets pass by default.
    ///
    /// # Errors
    ///
    /// [`TargetError`] for the first target that does not fit.
    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        let _ = (columns, targets);
        Ok(())
    }

    /// What the metric takes outputs with this many columns for; `None`, the default, if that makes no difference. The trainer
    /// refuses a metric that contradicts the loss.
    fn outputs(&self, columns: usize, targets: &[Y]) -> Option<Outputs> {
        let _ = (columns, targets);
        None
    }
}

/// A metric to which another of its kind can be added, as if its batches had been counted here.
pub trait Mergeable {
    /// Adds the counts of `other`.
    fn merge(&mut self, other: &Self);
}
