//! The recall.

use super::accuracy::ratio;
use super::definition::averaged;
use crate::OneClass;

averaged! {
    /// The recall, or sensitivity: of the samples of a class, the fraction that were taken for it.
    Recall = "recall";
    aliases ["sensitivity", "true_positive_rate", "tpr"];
    formula "tp / (tp + fn)";
    source "Kent et al. 1955";
    settings {}
    |_, OneClass { true_positives, false_negatives, .. }| {
        ratio(true_positives, true_positives + false_negatives, NO_POSITIVE)
    }
}

/// Why a figure of a class is undefined of which there is no sample.
pub(crate) const NO_POSITIVE: &str = "no sample is of the class";
