//! The negative predictive value.

use super::accuracy::ratio;
use super::definition::averaged;
use crate::OneClass;

averaged! {
    /// The negative predictive value: of the samples that were not taken for a class, the fraction that are not of it.
    NegativePredictiveValue = "negative_predictive_value";
    aliases ["npv"];
    formula "tn / (tn + fn)";
    source "torchmetrics' NegativePredictiveValue";
    settings {}
    |_, OneClass { true_negatives, false_negatives, .. }| {
        ratio(true_negatives, true_negatives + false_negatives, "all samples were taken for the class")
    }
}
