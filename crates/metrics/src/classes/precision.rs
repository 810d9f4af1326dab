//! The precision.

use super::accuracy::ratio;
use super::definition::averaged;
use crate::OneClass;

averaged! {
    /// The precision: of the samples that were taken for a class, the fraction that are of it.
    Precision = "precision";
    aliases ["positive_predictive_value", "ppv"];
    formula "tp / (tp + fp)";
    source "Kent et al. 1955";
    settings {}
    |_, OneClass { true_positives, false_positives, .. }| {
        ratio(true_positives, true_positives + false_positives, "no sample was taken for the class")
    }
}
