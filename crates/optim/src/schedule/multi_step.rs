use chainrule_core::{Described, Range, describe};

use super::{Schedule, check_given, optional_rate};
use crate::setters::setters;
use crate::{SettingError, Step};

/// The rate is multiplied by γ at each milestone: `η(s) = η γᵏ` with k the number of milestones up to step s, that one included
/// (PyTorch's `MultiStepLR`).
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStepDecay {
    milestones: Vec<u64>,
    gamma: f64,
    rate: Option<f64>,
}

describe! {
    /// The rate is multiplied by γ at each milestone.
    MultiStepDecay = "multi_step";
    aliases ["MultiStepLR", "multi_step_decay"];
    formula "η(s) = η γᵏ, k milestones up to s";
    source "PyTorch's MultiStepLR";
    settings {
        /// The steps at which the rate changes, in order; one that is given twice counts twice.
        milestones: required, Range::NOT_NEGATIVE;
        /// The factor γ of each change.
        gamma: 0.1, Range::NOT_NEGATIVE;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
}

setters! { MultiStepDecay;
    /// The factor γ of each change.
    gamma(gamma: f64) => gamma = gamma;
}

impl MultiStepDecay {
    /// From this rate, or the optimizer's for `None`, multiplied by 0.1 at each of these steps.
    pub fn new(rate: impl Into<Option<f64>>, milestones: impl Into<Vec<u64>>) -> Self {
        Self { milestones: milestones.into(), gamma: 0.1, rate: rate.into() }
    }
}

impl Schedule for MultiStepDecay {
    fn rate(&self, step: Step) -> f64 {
        let passed = self.milestones.partition_point(|&milestone| milestone <= step.index);
        self.rate.unwrap_or(f64::NAN) * self.gamma.powf(passed as f64)
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        check_order("MultiStepDecay", &self.milestones)?;
        check_given("MultiStepDecay", self.rate)
    }

    optional_rate!();
}

/// Checks that these steps are in order.
pub(super) fn check_order(owner: &'static str, steps: &[u64]) -> Result<(), SettingError> {
    let conflict = "its milestones are not in order: sort them, the earliest first";
    if steps.is_sorted() { Ok(()) } else { Err(SettingError::Conflict { owner, conflict }) }
}
