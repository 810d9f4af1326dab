//! Targets, as far as a loss sees them.
//!
//! What a target is, a trainer does not know: it hands it to the loss. But two targets for which the loss and its gradient are the same,
//! at an output that has nothing special, are the same to the training. So a target is known by that.

use chainrule_losses::{Loss, LossPass};
use chainrule_tensor::{Buffer, Outputs, Real};
use ndarray::Array2;

use super::finding::{AuditFinding, Fault};

/// What a loss knows of some targets: the loss and its gradient at one output, `[targets, 1 + columns]`; `None` if they are not
/// finite there, or the targets do not fit.
pub(crate) fn seen_by<T: Real, Y>(
    loss: &dyn Loss<T, Y>,
    columns: usize,
    targets: &[Y],
) -> Option<Array2<f64>> {
    loss.check(columns, targets).ok()?;
    let rows = targets.len();
    let output = reference(loss.outputs(), columns);
    let y = Array2::from_shape_fn((rows, columns), |(_, column)| T::of(output[column]));
    let mut dy = Array2::from_elem((rows, columns), T::zero());
    let mut losses = vec![0.0; rows];
    let mut scratch = Buffer::default();
    let pass = LossPass {
        y: y.view(),
        targets,
        scale: 1.0,
        dy: Some(dy.view_mut()),
        losses: &mut losses,
        scratch: &mut scratch,
    };
    loss.rows(pass);
    let seen = Array2::from_shape_fn((rows, columns + 1), |(row, column)| match column.checked_sub(1) {
        None => losses[row],
        Some(column) => dy[[row, column]].as_f64(),
    });
    seen.iter().all(|value| value.is_finite()).then_some(seen)
}

/// An output at which no loss is likely to be flat: the columns differ, and none is 0 or 1.
fn reference(outputs: Outputs, columns: usize) -> Vec<f64> {
    let wave = |column: usize| 0.1 * (column as f64 + 1.0).sin();
    match outputs {
        Outputs::Logits => (0..columns).map(wave).collect(),
        Outputs::Values => (0..columns).map(|column| 0.5 + wave(column)).collect(),
        Outputs::Probabilities if columns == 1 => vec![0.45],
        Outputs::Probabilities => {
            let weights: Vec<f64> = (0..columns).map(|column| 1.0 + wave(column)).collect();
            let sum: f64 = weights.iter().sum();
            weights.into_iter().map(|weight| weight / sum).collect()
        }
    }
}

/// Whether all targets are the same to the loss.
pub(crate) fn are_constant(seen: &Array2<f64>) -> bool {
    let first = seen.row(0);
    seen.rows().into_iter().all(|row| row == first)
}

/// The finding of targets that are all the same.
pub(crate) fn constant(targets: usize) -> AuditFinding {
    AuditFinding::new(
        Fault::ConstantTargets,
        format!(
            "all {targets} targets that were looked at are the same, so the best model ignores its inputs: check which column or which folder the targets come from"
        ),
    )
}

/// The finding of targets that have nothing to do with the inputs.
pub(crate) fn unrelated(samples: usize) -> AuditFinding {
    AuditFinding::new(
        Fault::UnrelatedTargets,
        format!(
            "the targets seem to have nothing to do with the inputs: the model does not predict samples that it has not seen better than by chance, and of {samples} samples those that are alike have targets as different as any; check that inputs and targets are in the same order, and shuffled together"
        ),
    )
}
