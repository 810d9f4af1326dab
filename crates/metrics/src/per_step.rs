//! A metric for every step of a sequence.

use chainrule_core::{Description, SettingError};
use chainrule_tensor::{Outputs, Real, Steps, TargetError};
use ndarray::ArrayView2;

use crate::{Count, Counts, Metric, MetricValue, Statistic};

/// Another metric over all steps of a sequence, for outputs `[steps, columns]` and one target per step.
///
/// ```
/// use chainrule_metrics::{Accuracy, MetricValue, PerStep, Tally};
/// let mut accuracy = Tally::new(PerStep(Accuracy));
/// accuracy.update(ndarray::array![[2.0f64, 0.0, 0.0, 1.0]].view(), &[[0u8, 0]]);
/// assert_eq!(accuracy.value(), MetricValue::Number(0.5));
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

    fn validate(&self) -> Result<(), SettingError> {
        self.0.validate()
    }

    fn description(&self) -> Description {
        self.0.description()
    }
}

impl<M: Statistic> Statistic for PerStep<M> {
    type Counts = M::Counts;

    fn empty(&self) -> Self::Counts {
        self.0.empty()
    }

    fn value(&self, counts: &Self::Counts) -> MetricValue {
        self.0.value(counts)
    }
}

impl<T: Real, S: Steps, M: Count<T, S::Target>> Count<T, S> for PerStep<M> {
    fn count(&self, counts: &mut Self::Counts, y: ArrayView2<'_, T>, targets: &[S]) {
        for (y, target) in y.rows().into_iter().zip(targets) {
            let steps = target.steps();
            let weight = if S::WEIGHTED { target.weight() } else { 1.0 };
            // The loss has checked that the steps divide the columns; an empty target is not counted.
            let Ok(y) = y.to_shape((steps.len(), y.len() / steps.len().max(1))) else { continue };
            if weight == 1.0 {
                self.0.count(counts, y.view(), steps);
            } else if weight != 0.0 {
                let mut sequence = self.0.empty();
                self.0.count(&mut sequence, y.view(), steps);
                sequence.scale(weight);
                counts.merge(&sequence);
            }
        }
    }

    fn accepts(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        targets.iter().enumerate().try_for_each(|(row, target)| {
            let steps = target.steps();
            if steps.is_empty() || !columns.is_multiple_of(steps.len()) {
                return Err(TargetError::Steps { row, steps: steps.len(), columns });
            }
            let inner = self.0.accepts(columns / steps.len(), steps);
            inner.map_err(|source| TargetError::Step { row, source: source.into() })
        })
    }

    /// By the first target: all have been checked, and decide between the same classes.
    fn reads(&self, columns: usize, targets: &[S]) -> Option<Outputs> {
        let steps = targets.first()?.steps();
        self.0.reads(columns.checked_div(steps.len())?, steps)
    }
}
