//! Metrics that count classes.

use crate::{Counts, Decided, Decision, Metric, MetricValue, Task};

/// A metric that compares the classes of outputs with those of targets.
///
/// With its name in [`class_metric!`](crate::class_metric!), such a type is a [`Measure`](crate::Measure) for both precisions and
/// all targets, which refuses targets that have no class.
///
/// ```
/// use chainrule_metrics::{ClassMetric, Decided, Decision, Metric, MetricValue, Statistic, class_metric};
///
/// /// How many no's were called a yes.
/// #[derive(Clone, Debug)]
/// struct FalseAlarms;
///
/// impl Metric for FalseAlarms {
///     fn name(&self) -> &'static str {
///         "false_alarms"
///     }
/// }
///
/// impl ClassMetric for FalseAlarms {
///     type Counts = [f64; 1];
///
///     fn decision(&self) -> Decision {
///         Decision::PROBABILITIES
///     }
///     fn add(&self, [alarms]: &mut [f64; 1], Decided { truth, found, weight, .. }: Decided) {
///         if (truth, found) == (Some(0), Some(1)) {
///             *alarms += weight;
///         }
///     }
///     fn value(&self, [alarms]: &[f64; 1]) -> MetricValue {
///         MetricValue::number(*alarms)
///     }
/// }
/// class_metric!(FalseAlarms);
///
/// let mut alarms = FalseAlarms.tally();
/// alarms.update(ndarray::array![[0.2], [0.8], [0.7]].view(), &[0u8, 0, 1]);
/// assert_eq!(alarms.value(), MetricValue::Number(1.0));
/// ```
pub trait ClassMetric: Metric {
    /// What is counted.
    type Counts: Counts;

    /// How outputs and targets become classes.
    fn decision(&self) -> Decision;

    /// Counts a row, or one of its labels.
    fn add(&self, counts: &mut Self::Counts, decided: Decided);

    /// The value over all samples that were counted.
    fn value(&self, counts: &Self::Counts) -> MetricValue;

    /// Prepares for outputs that decide this, before the rows of a batch are counted.
    fn prepare(&self, counts: &mut Self::Counts, task: Task) {
        let _ = (counts, task);
    }
}

/// Makes a [`Measure`](crate::Measure) of a type that is a [`ClassMetric`].
#[macro_export]
macro_rules! class_metric {
    ($metric:ty) => {
        impl $crate::Statistic for $metric {
            type Counts = <Self as $crate::ClassMetric>::Counts;

            fn value(&self, counts: &Self::Counts) -> $crate::MetricValue {
                $crate::ClassMetric::value(self, counts)
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $metric {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                let decision = $crate::ClassMetric::decision(self);
                $crate::ClassMetric::prepare(self, counts, decision.task(y.ncols()));
                decision.each(y, targets, |decided| $crate::ClassMetric::add(self, counts, decided));
            }

            fn accepts(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                let owner = $crate::Metric::name(self);
                $crate::ClassMetric::decision(self).check(owner, columns, targets)
            }

            fn reads(&self, columns: usize, _: &[Y]) -> Option<$crate::Outputs> {
                $crate::ClassMetric::decision(self).outputs(columns)
            }
        }
    };
}
