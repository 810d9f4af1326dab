//! The specificity at a sensitivity.

use chainrule_core::Range;

use super::definition::of_scores;
use super::operating_point::{Search, operating_points};
use crate::Average;

of_scores! {
    /// The largest specificity that a threshold has whose sensitivity is at least this.
    SpecificityAtSensitivity = "specificity_at_sensitivity";
    aliases [];
    formula "max tn / n where tp / p ≥ sensitivity";
    source "torchmetrics' SpecificityAtSensitivity";
    settings {
        /// The sensitivity that is needed at least.
        sensitivity ("min_sensitivity"): f64 = 0.5, 0.5, Range::UNIT;
        /// What is made of the figures of several classes.
        average: Average = Average::Macro, "macro";
    }
    |metric, counts| metric.search().value(metric.average, counts)
}

impl SpecificityAtSensitivity {
    /// The sensitivity that is needed at least.
    pub fn new(sensitivity: f64) -> Self {
        Self { sensitivity, ..SpecificityAtSensitivity }
    }

    fn search(&self) -> Search {
        Search {
            figures: |rates| [rates.specificity, rates.recall],
            at_least: self.sensitivity,
            nothing: true,
            needs_negatives: true,
        }
    }
}

operating_points!(SpecificityAtSensitivity);
