use chainrule_core::{Range, describe};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// Polynomial decay: `η(s) = (η - floor) (1 - s / steps)^p + floor` for `s ≤ steps`, then the floor (PyTorch's `PolynomialLR`,
/// Keras' `PolynomialDecay`, optax' `polynomial_schedule`).
///
/// With `cycle`, as in Keras, the number of steps grows to the next multiple of it that is not below s, so that the rate rises again.
/// PyTorch's 5 steps and Keras' floor of 1e-4 are presets.
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialDecay {
    steps: Option<u64>,
    power: f64,
    floor: f64,
    cycle: bool,
    rate: Option<f64>,
}

describe! {
    /// Polynomial decay to a floor, where it stays.
    PolynomialDecay = "polynomial";
    aliases ["PolynomialLR", "PolynomialDecay", "polynomial_schedule"];
    formula "η(s) = (η - floor) (1 - s / steps)^p + floor";
    source "PyTorch's PolynomialLR, Keras' PolynomialDecay";
    settings {
        /// The number of steps; all of the run if they are left out.
        steps ("total_iters", "decay_steps", "transition_steps"): none, Range::AT_LEAST_ONE;
        /// The power p; 1 is a straight line.
        power: 1.0, Range::NOT_NEGATIVE;
        /// The last rate.
        floor ("end_learning_rate", "end_value"): 0.0, Range::NOT_NEGATIVE;
        /// Whether the rate rises again after each `steps`.
        cycle: false;
        /// The first rate η; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr", "initial_learning_rate", "init_value"): none, Range::NOT_NEGATIVE;
    }
    presets {
        keras { floor = 0.0001 }
        pytorch { steps = 5 }
    }
}

setters! { PolynomialDecay;
    /// The number of steps; all of the run by default.
    steps(steps: u64) => steps = Some(steps);
    /// The power; 1, a straight line, by default.
    power(power: f64) => power = power;
    /// The last rate; 0 by default.
    floor(rate: f64) => floor = rate;
    /// Lets the rate rise again after each `steps`.
    cycle() => cycle = true;
}

impl PolynomialDecay {
    /// From this rate, or the optimizer's for `None`, straight to 0 over the run.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self { steps: None, power: 1.0, floor: 0.0, cycle: false, rate: rate.into() }
    }
}

impl Schedule for PolynomialDecay {
    fn rate(&self, step: Step) -> f64 {
        let rate = self.rate.unwrap_or(f64::NAN);
        let Some(steps) = step.length(self.steps) else { return f64::NAN };
        // How often the number of steps is needed to get here.
        let times = if self.cycle { step.index.div_ceil(steps).max(1) } else { 1 };
        let all = steps.saturating_mul(times);
        let left = 1.0 - step.index.min(all) as f64 / all as f64;
        (rate - self.floor) * left.powf(self.power) + self.floor
    }

    fn length(&self) -> Option<u64> {
        self.steps
    }

    described_schedule!();
}
