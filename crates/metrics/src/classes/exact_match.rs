//! The exact match of labels.

use super::accuracy::fraction;
use super::definition::classification;
use crate::{ClassMetric, Counts, Decided, Decision, MetricValue, Task, class_metric};

classification! {
    /// The exact match, or subset accuracy: the fraction of samples of which all labels are right.
    ExactMatch = "exact_match";
    aliases ["subset_accuracy"];
    formula "right / samples";
    source "torchmetrics' MultilabelExactMatch";
    settings {}
}

/// What an [`ExactMatch`] has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// The number of labels of a sample.
    labels: usize,
    /// Whether the labels of the current sample were right so far.
    right_so_far: bool,
    /// How many samples are right, and how many there are.
    counts: [f64; 2],
}

impl ClassMetric for ExactMatch {
    type Counts = Matches;

    fn decision(&self) -> Decision {
        self.decision_of_fields().labels()
    }

    fn prepare(&self, counts: &mut Matches, task: Task) {
        counts.labels = match task {
            Task::Labels(labels) | Task::Classes(labels) => labels,
            Task::Binary => 1,
        };
    }

    fn add(&self, matches: &mut Matches, Decided { label, truth, found, weight }: Decided) {
        let right = found.is_some() && found == truth;
        matches.right_so_far = right && (label == 0 || matches.right_so_far);
        if label + 1 == matches.labels {
            matches.counts[0] += if matches.right_so_far { weight } else { 0.0 };
            matches.counts[1] += weight;
        }
    }

    fn value(&self, Matches { counts: [right, all], .. }: &Matches) -> MetricValue {
        fraction(*right, *all).into()
    }
}

class_metric!(ExactMatch);

impl Counts for Matches {
    fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
    }

    fn scale(&mut self, weight: f64) {
        self.counts.scale(weight);
    }

    fn numbers(&self) -> Vec<f64> {
        self.counts.numbers()
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        Some(Self { counts: Counts::from_numbers(numbers)?, ..Self::default() })
    }
}
