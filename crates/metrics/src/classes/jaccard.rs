//! The Jaccard index.

use super::accuracy::ratio;
use super::definition::averaged;
use crate::OneClass;

averaged! {
    /// The Jaccard index, or intersection over union: of the samples that are of a class or were taken for it, those that are both.
    Jaccard = "jaccard";
    aliases ["jaccard_index", "iou", "mean_iou", "intersection_over_union"];
    formula "tp / (tp + fp + fn)";
    source "Jaccard 1901";
    settings {}
    |_, OneClass { true_positives, false_positives, false_negatives, .. }| {
        let union = true_positives + false_positives + false_negatives;
        ratio(true_positives, union, "no sample is of the class or was taken for it")
    }
}
