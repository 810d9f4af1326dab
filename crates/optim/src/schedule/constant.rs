use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// A constant rate, at first multiplied by a factor: `η(s) = η factor` for `s < steps`, then η (PyTorch's `ConstantLR`).
///
/// A plain number is a constant rate as well.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstantRate {
    steps: u64,
    factor: f64,
    rate: Option<f64>,
}

describe! {
    /// A constant rate, at first multiplied by a factor.
    ConstantRate = "constant";
    aliases ["ConstantLR", "constant_schedule"];
    formula "η(s) = η factor for s < steps, then η";
    source "PyTorch's ConstantLR";
    settings {
        /// The number of steps with the factor; with it, another schedule may follow.
        steps ("total_iters"): 0, Range::NOT_NEGATIVE;
        /// The factor of the first steps.
        factor: 1.0, Range::NOT_NEGATIVE;
        /// The rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr", "value"): none, Range::NOT_NEGATIVE;
    }
    presets { pytorch { steps = 5, factor = 0.3333333333333333 } }
}

setters! { ConstantRate;
    /// The first steps, and the factor of the rate in these.
    first(steps: u64, factor: f64) => steps = steps, factor = factor;
}

impl ConstantRate {
    /// This rate, or the optimizer's for `None`.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self { steps: 0, factor: 1.0, rate: rate.into() }
    }
}

impl Schedule for ConstantRate {
    fn rate(&self, step: Step) -> f64 {
        let factor = if step.index < self.steps { self.factor } else { 1.0 };
        self.rate.unwrap_or(f64::NAN) * factor
    }

    fn length(&self) -> Option<u64> {
        (self.steps > 0).then_some(self.steps)
    }

    described_schedule!();
}
