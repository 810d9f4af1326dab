use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// A straight line from one factor of the rate to another: `η(s) = η (a + (b - a) s / steps)` for `s ≤ steps`, then `η b`
/// (PyTorch's `LinearLR`, optax' `linear_schedule`).
///
/// By default it falls from the rate to 0 over the run. PyTorch's defaults, from a third to the rate in 5 steps, are the preset
/// `pytorch`.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearDecay {
    steps: Option<u64>,
    start_factor: f64,
    end_factor: f64,
    rate: Option<f64>,
}

describe! {
    /// A straight line from one factor of the rate to another, where it stays.
    LinearDecay = "linear";
    aliases ["LinearLR", "linear_decay", "linear_schedule"];
    formula "η(s) = η (a + (b - a) s / steps)";
    source "PyTorch's LinearLR";
    settings {
        /// The number of steps; all of the run if they are left out.
        steps ("total_iters", "transition_steps"): none, Range::AT_LEAST_ONE;
        /// The first factor, a.
        start_factor: 1.0, Range::NOT_NEGATIVE;
        /// The last factor, b.
        end_factor: 0.0, Range::NOT_NEGATIVE;
        /// The rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
    presets { pytorch { steps = 5, start_factor = 0.3333333333333333, end_factor = 1.0 } }
}

setters! { LinearDecay;
    /// The number of steps; all of the run by default.
    steps(steps: u64) => steps = Some(steps);
    /// The first and the last factor; 1 and 0 by default.
    factors(start: f64, end: f64) => start_factor = start, end_factor = end;
}

impl LinearDecay {
    /// From this rate, or the optimizer's for `None`, to 0 over the run.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self { steps: None, start_factor: 1.0, end_factor: 0.0, rate: rate.into() }
    }
}

impl Schedule for LinearDecay {
    fn rate(&self, step: Step) -> f64 {
        let done = step.progress(self.steps);
        let factor = self.start_factor + (self.end_factor - self.start_factor) * done;
        self.rate.unwrap_or(f64::NAN) * factor
    }

    fn length(&self) -> Option<u64> {
        self.steps
    }

    described_schedule!();
}
