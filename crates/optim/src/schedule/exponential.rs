use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Exponential decay: `η(s) = η γ^(s / every)`, and not below a floor (PyTorch's `ExponentialLR`, Keras' `ExponentialDecay`,
/// optax' `exponential_decay`).
#[derive(Clone, Debug, PartialEq)]
pub struct ExponentialDecay {
    gamma: f64,
    every: u64,
    staircase: bool,
    floor: f64,
    rate: Option<f64>,
}

describe! {
    /// Exponential decay: the rate is multiplied by γ over so many steps, evenly.
    ExponentialDecay = "exponential";
    aliases ["ExponentialLR", "exponential_decay"];
    formula "η(s) = η γ^(s / every)";
    source "PyTorch's ExponentialLR, Keras' ExponentialDecay";
    settings {
        /// The factor γ.
        gamma ("decay_rate"): required, Range::NOT_NEGATIVE;
        /// The number of steps that the factor is for.
        every ("decay_steps", "transition_steps"): 1, Range::AT_LEAST_ONE;
        /// Whether the exponent is rounded down, so that the rate changes at once and not evenly.
        staircase: false;
        /// The rate below which it does not fall.
        floor ("end_value"): 0.0, Range::NOT_NEGATIVE;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr", "initial_learning_rate", "init_value"): none, Range::NOT_NEGATIVE;
    }
}

setters! { ExponentialDecay;
    /// The number of steps that the factor is for; 1 by default.
    every(steps: u64) => every = steps;
    /// Lets the rate change at once, every so many steps.
    staircase() => staircase = true;
    /// The rate below which it does not fall; 0 by default.
    floor(rate: f64) => floor = rate;
}

impl ExponentialDecay {
    /// From this rate, or the optimizer's for `None`, multiplied by `gamma` in each step.
    pub fn new(rate: impl Into<Option<f64>>, gamma: f64) -> Self {
        Self { gamma, every: 1, staircase: false, floor: 0.0, rate: rate.into() }
    }
}

impl Schedule for ExponentialDecay {
    fn rate(&self, step: Step) -> f64 {
        let exponent = step.index as f64 / self.every.max(1) as f64;
        let exponent = if self.staircase { exponent.floor() } else { exponent };
        let rate = self.rate.unwrap_or(f64::NAN) * self.gamma.powf(exponent);
        if rate < self.floor { self.floor } else { rate }
    }

    described_schedule!();
}
