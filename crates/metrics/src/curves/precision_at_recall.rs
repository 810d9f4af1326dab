//! The precision at a recall.

use chainrule_core::Range;

use super::definition::of_scores;
use super::operating_point::{Search, operating_points};
use crate::Average;

of_scores! {
    /// The largest precision that a threshold has whose recall is at least this.
    PrecisionAtRecall = "precision_at_recall";
    aliases ["precision_at_fixed_recall"];
    formula "max P where R ≥ recall";
    source "torchmetrics' PrecisionAtFixedRecall";
    settings {
        /// The recall that is needed at least.
        recall ("min_recall"): f64 = 0.5, 0.5, Range::UNIT;
        /// What is made of the figures of several classes.
        average: Average = Average::Macro, "macro";
    }
    |metric, counts| metric.search().value(metric.average, counts)
}

impl PrecisionAtRecall {
    /// The recall that is needed at least.
    pub fn new(recall: f64) -> Self {
        Self { recall, ..PrecisionAtRecall }
    }

    fn search(&self) -> Search {
        Search {
            figures: |rates| [rates.precision, rates.recall],
            at_least: self.recall,
            nothing: false,
            needs_negatives: false,
        }
    }
}

operating_points!(PrecisionAtRecall);
