//! The recall at a precision.

use chainrule_core::Range;

use super::definition::of_scores;
use super::operating_point::{Search, operating_points};
use crate::Average;

of_scores! {
    /// The largest recall that a threshold has whose precision is at least this.
    RecallAtPrecision = "recall_at_precision";
    aliases ["recall_at_fixed_precision"];
    formula "max R where P ≥ precision";
    source "torchmetrics' RecallAtFixedPrecision";
    settings {
        /// The precision that is needed at least.
        precision ("min_precision"): f64 = 0.5, 0.5, Range::UNIT;
        /// What is made of the figures of several classes.
        average: Average = Average::Macro, "macro";
    }
    |metric, counts| metric.search().value(metric.average, counts)
}

impl RecallAtPrecision {
    /// The precision that is needed at least.
    pub fn new(precision: f64) -> Self {
        Self { precision, ..RecallAtPrecision }
    }

    fn search(&self) -> Search {
        Search {
            figures: |rates| [rates.recall, rates.precision],
            at_least: self.precision,
            nothing: false,
            needs_negatives: false,
        }
    }
}

operating_points!(RecallAtPrecision);
