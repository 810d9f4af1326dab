use std::f64::consts::PI;

use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Cosine annealing: half a cosine from the rate down to a floor, where it stays.
///
/// ```text
/// η(s) = floor + (η - floor) ((1 + cos(π s / steps)) / 2)^p        for s ≤ steps
/// ```
///
/// Loshchilov and Hutter 2017 (SGDR) without restarts, Keras' `CosineDecay`, optax' `cosine_decay_schedule`. PyTorch's
/// `CosineAnnealingLR` rises again after `T_max` steps: that is the preset `pytorch`, [`periodic`](Self::periodic).
#[derive(Clone, Debug, PartialEq)]
pub struct Cosine {
    steps: Option<u64>,
    floor: f64,
    alpha: f64,
    exponent: f64,
    periodic: bool,
    rate: Option<f64>,
}

describe! {
    /// Cosine annealing: half a cosine from the rate down to a floor, where it stays.
    Cosine = "cosine";
    aliases ["CosineAnnealing", "CosineAnnealingLR", "CosineDecay", "cosine_decay_schedule"];
    formula "η(s) = floor + (η - floor) ((1 + cos(π s / steps)) / 2)^p";
    source "Loshchilov and Hutter 2017";
    settings {
        /// The number of steps to the floor; all of the run if they are left out.
        steps ("T_max", "decay_steps"): none, Range::AT_LEAST_ONE;
        /// The final rate.
        floor ("eta_min"): 0.0, Range::NOT_NEGATIVE;
        /// The final rate as a part of the first, in addition to the floor.
        alpha: 0.0, Range::UNIT;
        /// The power p of the cosine.
        exponent: 1.0, Range::NOT_NEGATIVE;
        /// Whether the rate rises and falls again after `steps`, as in PyTorch.
        periodic: false;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr", "initial_learning_rate", "init_value"): none, Range::NOT_NEGATIVE;
    }
    presets { pytorch { periodic = true } }
}

setters! { Cosine;
    /// The number of steps to the floor; all of the run by default.
    steps(steps: u64) => steps = Some(steps);
    /// The final rate; 0 by default.
    floor(rate: f64) => floor = rate;
    /// The final rate as a part of the first, as Keras and optax have it; 0 by default.
    alpha(part: f64) => alpha = part;
    /// The power of the cosine; 1 by default.
    exponent(exponent: f64) => exponent = exponent;
    /// Lets the rate rise and fall again after `steps`, as PyTorch does.
    periodic() => periodic = true;
}

impl Cosine {
    /// From this rate, or the optimizer's for `None`, to 0 over the run.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self { steps: None, floor: 0.0, alpha: 0.0, exponent: 1.0, periodic: false, rate: rate.into() }
    }
}

impl Schedule for Cosine {
    fn rate(&self, step: Step) -> f64 {
        let rate = self.rate.unwrap_or(f64::NAN);
        let Some(steps) = step.length(self.steps) else { return f64::NAN };
        let index = if self.periodic { step.index } else { step.index.min(steps) };
        let wave = (1.0 + (PI * (index as f64 / steps as f64)).cos()) / 2.0;
        let wave = if self.exponent == 1.0 { wave } else { wave.powf(self.exponent) };
        let floor = self.alpha * rate + self.floor;
        floor + (rate - floor) * wave
    }

    fn length(&self) -> Option<u64> {
        self.steps
    }

    described_schedule!();
}
