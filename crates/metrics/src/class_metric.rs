//! Metrics that count classes.

use crate::{Decided, Decision, Metric};

/// A metric that compares the classes of outputs with those of targets.
///
/// With its name in [`class_metric!`](crate::class_metric!), such a type is a [`Measure`](crate::Measure) for both precisions and
/// all targets, which refuses targets that have no class. It has a field `decision`, and a `Default`, from which the macro makes
/// the constructors `from_probabilities` and `with_threshold` and the method `labels`.
///
/// ```
/// use chainrule_metrics::{ClassMetric, Decided, Decision, Measure, Metric, class_metric};
///
/// /// How many no's were called a yes.
/// #[derive(Clone, Copy, Debug, Default)]
/// struct FalseAlarms {
///     decision: Decision,
///     count: u64,
/// }
///
/// impl Metric for FalseAlarms {
///     fn name(&self) -> &'static str {
///         "false alarms"
///     }
///     fn reset(&mut self) {
///         self.count = 0;
///     }
///     fn value(&self) -> f64 {
///         self.count as f64
///     }
/// }
///
/// impl ClassMetric for FalseAlarms {
///     fn decision(&self) -> Decision {
///         self.decision
///     }
///     fn count(&mut self, decided: Decided) {
///         self.count += u64::from(decided == Decided { truth: Some(0), found: Some(1) });
///     }
/// }
/// class_metric!(FalseAlarms);
///
/// let mut alarms = FalseAlarms::from_probabilities();
/// alarms.update(ndarray::array![[0.2], [0.8], [0.7]].view(), &[0u8, 0, 1]);
/// assert_eq!(alarms.value(), 1.0);
/// ```
pub trait ClassMetric: Metric {
    /// How outputs and targets become classes.
    fn decision(&self) -> Decision;

    /// Counts a row, or one of its labels.
    fn count(&mut self, decided: Decided);

    /// Prepares for this many classes, before the rows of a batch are counted.
    fn prepare(&mut self, classes: usize) {
        let _ = classes;
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

        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Measure<T, Y> for $metric {
            fn update(&mut self, y: $crate::ArrayView2<'_, T>, targets: &[Y]) {
                let decision = $crate::ClassMetric::decision(self);
                $crate::ClassMetric::prepare(self, decision.classes(y.ncols()));
                decision.each(y, targets, |decided| $crate::ClassMetric::count(self, decided));
            }

            fn check(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                let owner = $crate::Metric::name(self);
                $crate::ClassMetric::decision(self).check(owner, columns, targets)
            }

            fn outputs(&self, columns: usize, _: &[Y]) -> Option<$crate::Outputs> {
                $crate::ClassMetric::decision(self).outputs(columns)
            }
        }
    };
}
