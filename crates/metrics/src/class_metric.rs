//! Metrics that count classes.

use crate::{Counts, Decided, Decision, Metric, MetricValue};

/// A metric that compares the classes of outputs with those of targets.
///
/// With its name in [`class_metric!`](crate::class_metric!), such a type is a [`Measure`](crate::Measure) for both precisions and
/// all targets, which refuses targets that have no class. It has a field `decision`, and a `Default`, from which the macro makes
/// the constructors `from_probabilities` and `with_threshold` and the method `labels`.
///
/// ```
/// use chainrule_metrics::{ClassMetric, Decided, Decision, Metric, MetricValue, Statistic, class_metric};
///
/// /// How many no's were called a yes.
/// #[derive(Clone, Copy, Debug, Default)]
/// struct FalseAlarms {
///     decision: Decision,
/// }
///
/// impl Metric for FalseAlarms {
///     fn name(&self) -> &'static str {
///         "false_alarms"
///     }
/// }
///
/// impl ClassMetric for FalseAlarms {
///     type Counts = [u64; 1];
///
///     fn decision(&self) -> Decision {
///         self.decision
///     }
///     fn add(&self, [alarms]: &mut [u64; 1], decided: Decided) {
///         *alarms += u64::from(decided == Decided { truth: Some(0), found: Some(1) });
///     }
///     fn value(&self, [alarms]: &[u64; 1]) -> MetricValue {
///         MetricValue::number(*alarms as f64)
///     }
/// }
/// class_metric!(FalseAlarms);
///
/// let mut alarms = FalseAlarms::from_probabilities().tally();
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

    /// Prepares for this many classes, before the rows of a batch are counted.
    fn prepare(&self, counts: &mut Self::Counts, classes: usize) {
        let _ = (counts, classes);
    }
}

/// Makes a [`Measure`](crate::Measure) of a type that is a [`ClassMetric`].
#[macro_export]
macro_rules! class_metric {
    ($metric:ty) => {
        impl $metric {
            /// For outputs that are probabilities: where an output is a yes or no, it is a yes above 0.5. Without it, outputs are
            /// logits, which are a yes above 0.
            pub fn from_probabilities() -> Self {
                Self { decision: $crate::Decision::PROBABILITIES, ..Default::default() }
            }

            /// With this threshold, above which an output that is a yes or no is a yes, whatever the outputs are.
            pub fn with_threshold(threshold: f64) -> Self {
                Self { decision: $crate::Decision::with_threshold(threshold), ..Default::default() }
            }

            /// Takes each column for a label of its own, a yes or no, so that several may be right at once.
            #[must_use]
            pub fn labels(self) -> Self {
                Self { decision: self.decision.labels(), ..self }
            }
        }

        impl $crate::Statistic for $metric {
            type Counts = <Self as $crate::ClassMetric>::Counts;

            fn value(&self, counts: &Self::Counts) -> $crate::MetricValue {
                $crate::ClassMetric::value(self, counts)
            }
        }

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Count<T, Y> for $metric {
            fn count(&self, counts: &mut Self::Counts, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                let decision = $crate::ClassMetric::decision(self);
                $crate::ClassMetric::prepare(self, counts, decision.classes(y.ncols()));
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
