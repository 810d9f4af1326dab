//! Outputs that do not suit the loss, or that do not depend on the inputs.

use chainrule_core::Plan;
use chainrule_tensor::{Outputs, Real};
use ndarray::{ArrayView2, Axis};

use super::finding::{AuditFinding, Fault};
use super::layers::{SeenLayers, called, name};

/// Last layers that bound what a loss from logits takes for unbounded. A logarithm of the softmax is not among them: it changes
/// nothing.
const BOUNDED: [&str; 10] = [
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Sparsemax",
    "Sigmoid",
    "HardSigmoid",
    "SparseSigmoid",
    "Relu",
    "Relu6",
    "ReluSquared",
];

/// Whether the outputs do not suit what the loss takes them for.
pub(crate) fn unsuited<T: Real>(
    plan: &Plan,
    seen: &SeenLayers,
    taken_for: Outputs,
    y: ArrayView2<'_, T>,
) -> Option<AuditFinding> {
    let last = seen.leaves().last()?;
    match taken_for {
        Outputs::Values => None,
        Outputs::Logits => {
            let layer = name(plan, &last.path);
            if layer == "LogSoftmax" || !(BOUNDED.contains(&layer) || are_distributions(y)) {
                return None;
            }
            let text = format!(
                "the outputs go through {} and then through the loss, which takes logits and has a softmax or a sigmoid of its own: remove the layer, or choose a loss from probabilities",
                called(plan, &last.path)
            );
            Some(AuditFinding::new(Fault::SecondActivation, text).of_layer(&last.path))
        }
        Outputs::Probabilities => {
            let outside =
                y.iter().map(|value| value.as_f64()).find(|value| !(-1e-4..=1.0001).contains(value))?;
            let text = format!(
                "the loss takes probabilities, but {} returns values such as {outside:.3}: put Softmax or Sigmoid after it, or choose a loss from logits",
                called(plan, &last.path)
            );
            Some(AuditFinding::new(Fault::NoProbabilities, text).of_layer(&last.path))
        }
    }
}

/// Whether each row is a probability distribution, and they are not all the same.
fn are_distributions<T: Real>(y: ArrayView2<'_, T>) -> bool {
    let is_distribution = |row: ndarray::ArrayView1<'_, T>| {
        let sum: f64 = row.iter().map(|value| value.as_f64()).sum();
        row.iter().all(|&value| value >= T::zero()) && (sum - 1.0).abs() < 1e-4
    };
    y.ncols() > 1 && y.nrows() > 4 && y.axis_iter(Axis(0)).all(is_distribution)
}

/// The layer from which on the output is the same for all samples, if it is.
pub(crate) fn constant_from(seen: &SeenLayers) -> Option<&str> {
    let leaves: Vec<_> = seen.leaves().collect();
    let last = leaves.last()?;
    if !last.constant {
        return None;
    }
    // The constant layers at the end; what is constant before them was merged with something that is not.
    let from = leaves.iter().rposition(|leaf| !leaf.constant).map_or(0, |index| index + 1);
    leaves.get(from).map(|leaf| leaf.path.as_str())
}

/// The finding of an output that is the same for all samples from this layer on.
pub(crate) fn constant(plan: &Plan, path: &str) -> AuditFinding {
    let text = format!(
        "the output does not depend on the input: {} returns the same for all samples; if its units are dead, lower the learning rate, scale the inputs or use LeakyRelu, else check the layer and its initial weights",
        called(plan, path)
    );
    AuditFinding::new(Fault::ConstantOutput, text).of_layer(path)
}
