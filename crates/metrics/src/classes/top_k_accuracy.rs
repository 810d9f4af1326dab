//! The accuracy among the k largest outputs.

use chainrule_core::{Range, describe, described};

use super::accuracy::{count_right, fraction};
use crate::{ClassMetric, Decided, Decision, Metric, MetricValue, class_metric};

/// The top-k accuracy: the fraction of samples whose class is among the k largest outputs, the first ones of equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TopKAccuracy {
    /// How many of the largest scores may be right.
    pub k: usize,
    /// The class of samples that do not count.
    pub ignore_index: Option<usize>,
}

impl TopKAccuracy {
    /// Among this many.
    pub fn new(k: usize) -> Self {
        Self { k, ignore_index: None }
    }
}

impl Default for TopKAccuracy {
    /// Among five, as in Keras.
    fn default() -> Self {
        Self::new(5)
    }
}

describe! {
    /// The fraction of samples whose class is among the k largest outputs.
    TopKAccuracy = "top_k_accuracy";
    aliases ["top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"];
    formula "right / samples";
    source "Keras' TopKCategoricalAccuracy";
    settings {
        /// How many of the largest scores may be right.
        k ("top_k"): 5, Range::AT_LEAST_ONE;
        /// The class of samples that do not count.
        ignore_index ("ignore_class"): none;
    }
}

impl Metric for TopKAccuracy {
    fn name(&self) -> &'static str {
        "top_k_accuracy"
    }

    described!(validate);
}

impl ClassMetric for TopKAccuracy {
    /// How many samples are right, and how many there are.
    type Counts = [f64; 2];

    fn decision(&self) -> Decision {
        Decision { top_k: self.k, ignore_index: self.ignore_index, ..Decision::LOGITS }
    }

    #[inline]
    fn add(&self, counts: &mut [f64; 2], decided: Decided) {
        count_right(counts, decided);
    }

    fn value(&self, counts: &[f64; 2]) -> MetricValue {
        fraction(counts[0], counts[1]).into()
    }
}

class_metric!(TopKAccuracy);
