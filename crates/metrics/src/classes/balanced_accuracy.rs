//! The balanced accuracy.

use super::accuracy::ratio;
use super::definition::classification;
use super::recall::NO_POSITIVE;
use crate::{
    Average, ClassCounts, ClassMetric, Decided, Decision, MetricValue, Task, Undefined, class_metric,
};

classification! {
    /// The balanced accuracy: the mean over the classes that occur of the fraction of their samples that are right.
    BalancedAccuracy = "balanced_accuracy";
    aliases ["balanced_accuracy_score"];
    formula "mean over classes of tp / (tp + fn)";
    source "Brodersen et al. 2010";
    settings {
        /// Whether a guess at random scores 0 rather than 1 over the number of classes.
        adjusted: bool = false, false;
    }
}

impl ClassMetric for BalancedAccuracy {
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
        // A label is a task of its own, between no and yes.
        if let Task::Labels(_) = counts.task() {
            let of_label = |class: crate::OneClass| {
                let yes = ratio(class.true_positives, class.support(), NO_POSITIVE);
                let no =
                    ratio(class.true_negatives, class.true_negatives + class.false_positives, NO_POSITIVE);
                (self.mean(&[yes, no]), 1.0)
            };
            return Average::Macro.of_figures(counts.each_class().map(of_label).collect());
        }
        let recalls: Vec<_> = counts
            .each_class()
            .map(|class| ratio(class.true_positives, class.support(), NO_POSITIVE))
            .collect();
        self.mean(&recalls).into()
    }
}

impl BalancedAccuracy {
    /// The mean over the classes that occur.
    fn mean(&self, recalls: &[Result<f64, Undefined>]) -> Result<f64, Undefined> {
        let occurring: Vec<f64> = recalls.iter().flatten().copied().collect();
        let count = occurring.len() as f64;
        let mean = ratio(occurring.iter().sum(), count, NO_POSITIVE)?;
        if !self.adjusted {
            return Ok(mean);
        }
        let chance = 1.0 / count;
        ratio(mean - chance, 1.0 - chance, "all samples are of one class")
    }
}

class_metric!(BalancedAccuracy);
