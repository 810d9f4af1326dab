use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Inverse time decay: `η(s) = η / (1 + d s / every)` (Keras' `InverseTimeDecay`).
#[derive(Clone, Debug, PartialEq)]
pub struct InverseTimeDecay {
    decay: f64,
    every: u64,
    staircase: bool,
    rate: Option<f64>,
}

describe! {
    /// Inverse time decay: the rate falls as one over the number of steps.
    InverseTimeDecay = "inverse_time";
    aliases ["InverseTimeDecay"];
    formula "η(s) = η / (1 + d s / every)";
    source "Keras' InverseTimeDecay";
    settings {
        /// The decay d.
        decay ("decay_rate"): required, Range::NOT_NEGATIVE;
        /// The number of steps that the decay is for.
        every ("decay_steps"): 1, Range::AT_LEAST_ONE;
        /// Whether s / every is rounded down, so that the rate changes at once and not evenly.
        staircase: false;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "initial_learning_rate"): none, Range::NOT_NEGATIVE;
    }
}

setters! { InverseTimeDecay;
    /// The number of steps that the decay is for; 1 by default.
    every(steps: u64) => every = steps;
    /// Lets the rate change at once, every so many steps.
    staircase() => staircase = true;
}

impl InverseTimeDecay {
    /// From this rate, or the optimizer's for `None`, with this decay.
    pub fn new(rate: impl Into<Option<f64>>, decay: f64) -> Self {
        Self { decay, every: 1, staircase: false, rate: rate.into() }
    }
}

impl Schedule for InverseTimeDecay {
    fn rate(&self, step: Step) -> f64 {
        let time = step.index as f64 / self.every.max(1) as f64;
        let time = if self.staircase { time.floor() } else { time };
        self.rate.unwrap_or(f64::NAN) / (1.0 + self.decay * time)
    }

    described_schedule!();
}
