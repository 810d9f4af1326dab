use std::f64::consts::PI;

use chainrule_core::{Range, describe};

use super::one_cycle::Anneal;
use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Annealing to the constant rate of stochastic weight averaging (PyTorch's `SWALR`): in `steps` steps from the rate that there is to
/// another, where it stays.
///
/// After another schedule it begins with the last rate of that one: `cosine(10000) then swa(0.05)`.
#[derive(Clone, Debug, PartialEq)]
pub struct SwaAnnealing {
    swa_rate: f64,
    steps: u64,
    anneal: Anneal,
    rate: Option<f64>,
}

describe! {
    /// Annealing to the constant rate of stochastic weight averaging.
    SwaAnnealing = "swa";
    aliases ["SWALR"];
    formula "η(s) = swa_lr a + η (1 - a), a = (1 - cos(π s / steps)) / 2";
    source "PyTorch's SWALR; Izmailov et al. 2018";
    settings {
        /// The rate at the end, which stays.
        swa_rate as "swa_lr": required, Range::NOT_NEGATIVE;
        /// The number of steps to it.
        steps ("anneal_epochs", "anneal_steps"): 10, Range::NOT_NEGATIVE;
        /// The curve: cos or linear.
        anneal ("anneal_strategy"): cos;
        /// The rate at the beginning; that of the schedule before, or of the optimizer, if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
}

setters! { SwaAnnealing;
    /// The number of steps to the rate at the end; 10 by default.
    steps(steps: u64) => steps = steps;
    /// A straight line instead of a cosine.
    linear() => anneal = Anneal::Linear;
}

impl SwaAnnealing {
    /// From this rate, or for `None` that of the schedule before or of the optimizer, to `swa_rate`.
    pub fn new(rate: impl Into<Option<f64>>, swa_rate: f64) -> Self {
        Self { swa_rate, steps: 10, anneal: Anneal::Cos, rate: rate.into() }
    }
}

impl Schedule for SwaAnnealing {
    fn rate(&self, step: Step) -> f64 {
        let done = if self.steps == 0 { 1.0 } else { step.progress(Some(self.steps)) };
        let part = match self.anneal {
            Anneal::Cos => (1.0 - (PI * done).cos()) / 2.0,
            Anneal::Linear => done,
        };
        self.swa_rate * part + self.rate.unwrap_or(f64::NAN) * (1.0 - part)
    }

    fn continues(&self) -> bool {
        true
    }

    described_schedule!();
}
