//! The sensitivity at a specificity.

use chainrule_core::Range;

use super::definition::of_scores;
use super::operating_point::{Search, operating_points};
use crate::Average;

of_scores! {
    /// The largest sensitivity that a threshold has whose specificity is at least this.
    SensitivityAtSpecificity = "sensitivity_at_specificity";
    aliases [];
    formula "max tp / p where tn / n ≥ specificity";
    source "torchmetrics' SensitivityAtSpecificity";
    settings {
        /// The specificity that is needed at least.
        specificity ("min_specificity"): f64 = 0.5, 0.5, Range::UNIT;
        /// What is made of the figures of several classes.
        average: Average = Average::Macro, "macro";
    }
    |metric, counts| metric.search().value(metric.average, counts)
}

impl SensitivityAtSpecificity {
    /// The specificity that is needed at least.
    pub fn new(specificity: f64) -> Self {
        Self { specificity, ..SensitivityAtSpecificity }
    }

    fn search(&self) -> Search {
        Search {
            figures: |rates| [rates.recall, rates.specificity],
            at_least: self.specificity,
            nothing: true,
            needs_negatives: true,
        }
    }
}

operating_points!(SensitivityAtSpecificity);
