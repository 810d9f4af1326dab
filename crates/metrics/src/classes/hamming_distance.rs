//! The Hamming distance.

use super::accuracy::{count_right, fraction};
use super::definition::classification;
use crate::{ClassMetric, Decided, Decision, MetricValue, class_metric};

classification! {
    /// The Hamming distance: the fraction of samples that are wrong; with labels, the fraction of all labels.
    HammingDistance = "hamming_distance";
    aliases ["hamming_loss", "hamming"];
    formula "wrong / samples";
    source "Hamming 1950";
    settings {}
}

impl ClassMetric for HammingDistance {
    /// How many are right, and how many there are.
    type Counts = [f64; 2];

    fn decision(&self) -> Decision {
        self.decision_of_fields()
    }

    fn add(&self, counts: &mut [f64; 2], decided: Decided) {
        count_right(counts, decided);
    }

    fn value(&self, [right, all]: &[f64; 2]) -> MetricValue {
        fraction(all - right, *all).into()
    }
}

class_metric!(HammingDistance);
