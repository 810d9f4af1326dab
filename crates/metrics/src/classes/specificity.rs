//! The specificity.

use super::accuracy::ratio;
use super::definition::averaged;
use crate::OneClass;

averaged! {
    /// The specificity: of the samples that are not of a class, the fraction that were not taken for it.
    Specificity = "specificity";
    aliases ["selectivity", "true_negative_rate", "tnr"];
    formula "tn / (tn + fp)";
    source "Yerushalmy 1947";
    settings {}
    |_, OneClass { true_negatives, false_positives, .. }| {
        ratio(true_negatives, true_negatives + false_positives, NO_NEGATIVE)
    }
}

/// Why a figure of a class is undefined that all samples are of.
pub(crate) const NO_NEGATIVE: &str = "all samples are of the class";
