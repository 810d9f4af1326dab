//! The accuracy.

use super::definition::classification;
use crate::{ClassMetric, Decided, Decision, MetricValue, Undefined, class_metric};

classification! {
    /// The accuracy: the fraction of samples that are right; with labels, the fraction of all labels.
    Accuracy = "accuracy";
    aliases ["categorical_accuracy", "sparse_categorical_accuracy", "multiclass_accuracy", "acc"];
    formula "right / samples";
    source "Keras' and torchmetrics' micro average";
    settings {}
}

impl ClassMetric for Accuracy {
    /// How many samples are right, and how many there are.
    type Counts = [f64; 2];

    fn decision(&self) -> Decision {
        self.decision_of_fields()
    }

    #[inline]
    fn add(&self, counts: &mut [f64; 2], decided: Decided) {
        count_right(counts, decided);
    }

    fn value(&self, counts: &[f64; 2]) -> MetricValue {
        fraction(counts[0], counts[1]).into()
    }
}

class_metric!(Accuracy);

/// Counts what is right, and all. A NaN is wrong.
#[inline]
pub(super) fn count_right([right, all]: &mut [f64; 2], Decided { truth, found, weight, .. }: Decided) {
    *right += if found.is_some() && found == truth { weight } else { 0.0 };
    *all += weight;
}

/// The fraction `part / whole` of all samples.
pub(crate) fn fraction(part: f64, whole: f64) -> Result<f64, Undefined> {
    ratio(part, whole, Undefined::NO_SAMPLE.0)
}

/// `part / whole`, or why there is none where the whole is 0.
pub(crate) fn ratio(part: f64, whole: f64, reason: &'static str) -> Result<f64, Undefined> {
    if whole == 0.0 { Err(Undefined(reason)) } else { Ok(part / whole) }
}
