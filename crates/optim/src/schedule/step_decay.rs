use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Step decay: the rate is multiplied by γ every so many steps, `η(s) = η γ^⌊s / every⌋` (PyTorch's `StepLR`).
#[derive(Clone, Debug, PartialEq)]
pub struct StepDecay {
    every: u64,
    gamma: f64,
    rate: Option<f64>,
}

describe! {
    /// Step decay: the rate is multiplied by γ every so many steps.
    StepDecay = "step";
    aliases ["StepLR", "step_decay"];
    formula "η(s) = η γ^⌊s / every⌋";
    source "PyTorch's StepLR";
    settings {
        /// The number of steps between changes.
        every ("step_size"): required, Range::AT_LEAST_ONE;
        /// The factor γ of each change.
        gamma: 0.1, Range::NOT_NEGATIVE;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
}

setters! { StepDecay;
    /// The factor γ of each change.
    gamma(gamma: f64) => gamma = gamma;
}

impl StepDecay {
    /// From this rate, or the optimizer's for `None`, multiplied by 0.1 every `every` steps.
    pub fn new(rate: impl Into<Option<f64>>, every: u64) -> Self {
        Self { every, gamma: 0.1, rate: rate.into() }
    }
}

impl Schedule for StepDecay {
    fn rate(&self, step: Step) -> f64 {
        self.rate.unwrap_or(f64::NAN) * self.gamma.powf((step.index / self.every.max(1)) as f64)
    }

    described_schedule!();
}
