//! The accuracy of yes and no.

use super::accuracy::{count_right, fraction};
use super::definition::classification;
use crate::{ClassMetric, Decided, Decision, MetricValue, class_metric};

classification! {
    /// The binary accuracy: the fraction of all outputs, each a yes or no of its own, that are right.
    BinaryAccuracy = "binary_accuracy";
    aliases ["multilabel_accuracy"];
    formula "right / outputs";
    source "Keras' BinaryAccuracy";
    settings {}
}

impl ClassMetric for BinaryAccuracy {
    /// How many outputs are right, and how many there are.
    type Counts = [f64; 2];

    fn decision(&self) -> Decision {
        self.decision_of_fields().labels()
    }

    #[inline]
    fn add(&self, counts: &mut [f64; 2], decided: Decided) {
        count_right(counts, decided);
    }

    fn value(&self, counts: &[f64; 2]) -> MetricValue {
        fraction(counts[0], counts[1]).into()
    }
}

class_metric!(BinaryAccuracy);
