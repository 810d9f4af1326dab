//! Whether the loss and the metrics suit each other, and the targets.

use chainrule_core::SettingError;
use chainrule_losses::Loss;
use chainrule_metrics::Measure;
use chainrule_tensor::{Outputs, Real, TargetError};

/// Checks the settings of the loss and of the metrics.
pub(super) fn check_settings<T: Real, Y>(
    loss: &dyn Loss<T, Y>,
    metrics: &[Box<dyn Measure<T, Y>>],
    columns: usize,
) -> Result<(), SettingError> {
    loss.validate()?;
    metrics.iter().try_for_each(|metric| metric.validate())?;
    check_outputs(loss, metrics, columns, &[])
}

/// Checks that the loss and the metrics are defined for the targets of outputs with this many columns.
pub(super) fn check_targets<T: Real, Y>(
    loss: &dyn Loss<T, Y>,
    metrics: &[Box<dyn Measure<T, Y>>],
    columns: usize,
    targets: &[Y],
) -> Result<(), TargetError> {
    loss.check(columns, targets)?;
    metrics.iter().try_for_each(|metric| metric.check(columns, targets))
}

/// Checks that no metric takes the outputs for something else than the loss does.
pub(super) fn check_outputs<T: Real, Y>(
    loss: &dyn Loss<T, Y>,
    metrics: &[Box<dyn Measure<T, Y>>],
    columns: usize,
    targets: &[Y],
) -> Result<(), SettingError> {
    metrics.iter().try_for_each(|metric| {
        let taken_for = metric.outputs(columns, targets);
        match taken_for.and_then(|taken_for| contradiction(loss.outputs(), taken_for)) {
            Some(conflict) => Err(SettingError::Conflict { owner: metric.name(), conflict }),
            None => Ok(()),
        }
    })
}

/// What a loss says of the outputs against what a metric says of them, if that is a contradiction, and what to do.
fn contradiction(loss: Outputs, metric: Outputs) -> Option<&'static str> {
    match (loss, metric) {
        (Outputs::Probabilities, Outputs::Logits) => Some(
            "it is for logits, but the loss takes the outputs for probabilities: make it with `from_probabilities()`",
        ),
        (Outputs::Logits, Outputs::Probabilities) => Some(
            "it is for probabilities, but the loss takes the outputs for logits: make it without `from_probabilities()`",
        ),
        (Outputs::Values, Outputs::Logits) => Some(
            "it is for logits, but the loss takes the outputs for values like the targets: make it with `with_threshold`, 0.5 for targets of 0 and 1, or, if they are probabilities, with `from_probabilities()`",
        ),
        // A value that should be 0 or 1 may well be a probability.
        _ => None,
    }
}
