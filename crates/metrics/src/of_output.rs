//! A metric of one of several outputs.

use std::ops::Range;

use chainrule_core::{Description, SettingError};
use chainrule_tensor::{Real, Steps, TargetError};
use ndarray::{ArrayView2, s};

use crate::{Count, Counts, Metric, MetricValue, Statistic};

/// Another metric of one of several outputs, where samples have a target for each.
///
/// ```
/// use chainrule_metrics::{Accuracy, MetricValue, OfOutput, Statistic};
/// use chainrule_tensor::OutputTarget;
/// // The second output is in the columns 1 and 2.
/// let mut accuracy = OfOutput::new(1, 1..3, Accuracy).tally();
/// let targets = [[OutputTarget::values([7.0f32]), OutputTarget::Class(1)]];
/// accuracy.update(ndarray::array![[9.0f32, -1.0, 1.0]].view(), &targets);
/// assert_eq!(accuracy.value(), MetricValue::Number(1.0));
/// ```
#[derive(Clone, Debug)]
pub struct OfOutput<M> {
    output: usize,
    columns: Range<usize>,
    metric: M,
}

impl<M> OfOutput<M> {
    /// The metric of the output with this index, in these columns.
    pub fn new(output: usize, columns: Range<usize>, metric: M) -> Self {
        Self { output, columns, metric }
    }
}

impl<M: Metric> Metric for OfOutput<M> {
    fn name(&self) -> &'static str {
        self.metric.name()
    }

    fn description(&self) -> Description {
        self.metric.description()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.metric.validate()
    }
}

impl<M: Statistic> Statistic for OfOutput<M> {
    type Counts = M::Counts;

    fn empty(&self) -> Self::Counts {
        self.metric.empty()
    }

    fn value(&self, counts: &Self::Counts) -> MetricValue {
        self.metric.value(counts)
    }
}

impl<T: Real, S: Steps, M: Count<T, S::Target>> Count<T, S> for OfOutput<M> {
    fn count(&self, counts: &mut Self::Counts, y: ArrayView2<'_, T>, targets: &[S]) {
        for (row, target) in targets.iter().enumerate() {
            let weight = if S::WEIGHTED { target.weight() } else { 1.0 };
            let Some(target) = target.steps().get(self.output) else { continue };
            let y = y.slice(s![row..row + 1, self.columns.clone()]);
            if weight == 1.0 {
                self.metric.count(counts, y, std::slice::from_ref(target));
            } else if weight != 0.0 {
                let mut own = self.metric.empty();
                self.metric.count(&mut own, y, std::slice::from_ref(target));
                own.scale(weight);
                counts.merge(&own);
            }
        }
    }

    fn accepts(&self, columns: usize, targets: &[S]) -> Result<(), TargetError> {
        for (row, target) in targets.iter().enumerate() {
            if columns < self.columns.end {
                let expected = self.columns.end;
                return Err(TargetError::Outputs { row, found: columns, expected, what: "columns" });
            }
            let steps = target.steps();
            let Some(target) = steps.get(self.output) else {
                let expected = self.output + 1;
                return Err(TargetError::Outputs { row, found: steps.len(), expected, what: "targets" });
            };
            let accepted = self.metric.accepts(self.columns.len(), std::slice::from_ref(target));
            accepted
                .map_err(|source| TargetError::Step { row, source: Box::new(source.after(self.output)) })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Accuracy, MeanSquaredError};
    use chainrule_tensor::{OutputTarget, Weighted};

    #[test]
    fn weights_of_samples_count() {
        let y = ndarray::array![[1.0f64, 3.0, 0.0], [4.0, 0.0, 2.0], [7.0, 0.0, 2.0]];
        let targets = [(2.0, 0, 1.0), (1.0, 0, 3.0), (0.0, 1, 0.0)].map(|(value, class, weight)| Weighted {
            target: vec![OutputTarget::values([value]), OutputTarget::Class(class)],
            weight,
        });
        let mut error = OfOutput::new(0, 0..1, MeanSquaredError).tally();
        error.update(y.view(), &targets);
        assert_eq!(error.value(), MetricValue::Number((1.0 + 3.0 * 9.0) / 4.0));
        let mut accuracy = OfOutput::new(1, 1..3, Accuracy).tally();
        accuracy.update(y.view(), &targets);
        assert_eq!(accuracy.value(), MetricValue::Number(0.25));
    }

    #[test]
    fn outputs_have_metrics_of_their_own() {
        let y = ndarray::array![[1.0f64, 3.0, 0.0], [4.0, 0.0, 2.0]];
        let target = |value: f64, class| vec![OutputTarget::values([value]), OutputTarget::Class(class)];
        let targets = [target(2.0, 0), target(1.0, 0)];
        let mut error = OfOutput::new(0, 0..1, MeanSquaredError).tally();
        error.update(y.view(), &targets);
        assert_eq!(error.value(), MetricValue::Number(5.0));
        let mut accuracy = OfOutput::new(1, 1..3, Accuracy).tally();
        accuracy.update(y.view(), &targets);
        assert_eq!(accuracy.value(), MetricValue::Number(0.5));
        let accepts =
            |metric: &OfOutput<Accuracy>, columns| Count::<f64, _>::accepts(metric, columns, &targets);
        assert!(accepts(&OfOutput::new(1, 1..3, Accuracy), 3).is_ok());
        assert!(accepts(&OfOutput::new(1, 1..3, Accuracy), 2).is_err());
        assert!(accepts(&OfOutput::new(2, 1..3, Accuracy), 3).is_err());
    }
}
