//! The Matthews correlation.

use super::accuracy::ratio;
use super::definition::classification;
use crate::{ClassCounts, ClassMetric, Decided, Decision, MetricValue, OneClass, Task, class_metric};

classification! {
    /// The Matthews correlation of true and found classes, from -1 to 1; 0 is as good as chance. Labels are taken together.
    MatthewsCorrelation = "matthews_correlation";
    aliases ["matthews_corrcoef", "matthews_corr_coef", "mcc", "phi"];
    formula "(c s - Σ pₖ tₖ) / √((s² - Σ pₖ²)(s² - Σ tₖ²))";
    source "Gorodkin 2004";
    settings {}
}

impl ClassMetric for MatthewsCorrelation {
    type Counts = ClassCounts;

    fn decision(&self) -> Decision {
        self.decision_of_fields()
    }

    fn prepare(&self, counts: &mut ClassCounts, task: Task) {
        counts.prepare(task);
    }

    fn add(&self, counts: &mut ClassCounts, decided: Decided) {
        counts.add(decided);
    }

    fn value(&self, counts: &ClassCounts) -> MetricValue {
        if let Err(undefined) = counts.check() {
            return MetricValue::Undefined(undefined);
        }
        let Marginals { classes, right, total } = Marginals::of(counts);
        let sum = |of: fn(&[f64; 2]) -> f64| classes.iter().map(of).sum::<f64>();
        let covariance = right * total - sum(|[found, is]| found * is);
        let found = total * total - sum(|[found, _]| found * found);
        let is = total * total - sum(|[_, is]| is * is);
        let reason =
            if is == 0.0 { "all samples are of one class" } else { "all samples were taken for one class" };
        ratio(covariance, found.sqrt() * is.sqrt(), reason).into()
    }
}

class_metric!(MatthewsCorrelation);

/// How often each class was found and how often it is true, how many samples are right, and how many there are.
pub(super) struct Marginals {
    pub(super) classes: Vec<[f64; 2]>,
    pub(super) right: f64,
    pub(super) total: f64,
}

impl Marginals {
    /// Those of counts. All labels together are one yes or no.
    pub(super) fn of(counts: &ClassCounts) -> Self {
        let of_class = |class: OneClass| [class.true_positives + class.false_positives, class.support()];
        if let Task::Labels(_) = counts.task() {
            let yes = counts.each_class().reduce(|a, b| a + b).unwrap_or_default();
            let OneClass { true_positives, false_positives, false_negatives, true_negatives } = yes;
            let no = OneClass {
                true_positives: true_negatives,
                false_positives: false_negatives,
                false_negatives: false_positives,
                true_negatives: true_positives,
            };
            let right = true_positives + true_negatives;
            let total = right + false_positives + false_negatives;
            return Self { classes: vec![of_class(no), of_class(yes)], right, total };
        }
        Self {
            classes: counts.each_class().map(of_class).collect(),
            right: counts.each_class().map(|class| class.true_positives).sum(),
            total: counts.total(),
        }
    }
}
