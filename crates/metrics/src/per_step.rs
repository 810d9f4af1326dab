//! A metric for every step of a sequence.

use chainrule_tensor::{Real, Steps};
use ndarray::ArrayView2;

use crate::{Measure, Mergeable, Metric};

/// Another metric over all steps of a sequence, for outputs `[steps, columns]` and one target per step.
///
/// ```
/// use chainrule_metrics::{Accuracy, Measure, Metric, PerStep};
/// let mut accuracy = PerStep(Accuracy::default());
/// accuracy.update(ndarray::array![[2.0f64, 0.0, 0.0, 1.0]].view(), &[[0u8, 0]]);
/// assert_eq!(accuracy.value(), 0.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PerStep<M>(
    /// The metric of a step.
    pub M,
);

impl<M: Metric> Metric for PerStep<M> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn value(&self) -> f64 {
        self.0.value()
    }

    fn counts(&self) -> Option<Vec<f64>> {
        self.0.counts()
    }

    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        self.0.restore(counts)
    }
}

impl<T: Real, S: Steps, M: Measure<T, S::Target>> Measure<T, S> for PerStep<M> {
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[S]) {
        for (y, target) in y.rows().into_iter().zip(targets) {
            let steps = target.steps();
            // The loss has checked that the steps divide the columns; an empty target is not counted.
            if let Ok(y) = y.to_shape((steps.len(), y.len() / steps.len().max(1))) {
                self.0.update(y.view(), steps);
            }
        }
    }
}

impl<M: Mergeable> Mergeable for PerStep<M> {
    fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0);
    }
}
