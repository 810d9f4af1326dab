use chainrule_core::{Range, describe, setting_words};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// How the height of the cycles of a [`Cyclic`] schedule changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CycleHeight {
    /// It does not.
    Triangular,
    /// It is halved with each cycle.
    Halved,
    /// It is multiplied by γ in each step.
    Exponential,
}

setting_words! { CycleHeight { Triangular = "triangular", Halved = "triangular2", Exponential = "exp_range" } }

/// Cyclic learning rates (Smith 2017): a straight line up to a maximum and down again, over and over (PyTorch's `CyclicLR`).
///
/// The height of the cycles is constant, halved with each cycle, or `γˢ` in step s. PyTorch's also cycles the momentum by default;
/// this is the learning rate alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Cyclic {
    base: f64,
    up: u64,
    down: Option<u64>,
    mode: CycleHeight,
    gamma: f64,
    rate: Option<f64>,
}

describe! {
    /// Cyclic learning rates: a straight line up to a maximum and down again, over and over.
    Cyclic = "cyclic";
    aliases ["CyclicLR"];
    formula "η(s) = base + (η - base) h(s)";
    source "Smith 2017";
    settings {
        /// The lowest rate, with which a cycle begins.
        base ("base_lr"): required, Range::NOT_NEGATIVE;
        /// The number of steps up.
        up ("step_size_up"): 2000, Range::AT_LEAST_ONE;
        /// The number of steps down; as many as up if they are left out.
        down ("step_size_down"): none, Range::AT_LEAST_ONE;
        /// How the height of the cycles changes: triangular, triangular2 (halved) or exp_range (by γ).
        mode: triangular;
        /// The factor γ of each step, in the mode exp_range.
        gamma: 1.0, Range::NOT_NEGATIVE;
        /// The highest rate η; that of the optimizer if it is left out.
        rate ("max_lr"): none, Range::NOT_NEGATIVE;
    }
}

setters! { Cyclic;
    /// The number of steps up, and down; 2000 each by default.
    steps(up: u64, down: u64) => up = up, down = Some(down);
    /// Halves the height with each cycle.
    halved() => mode = CycleHeight::Halved;
    /// Multiplies the height by this factor in each step.
    exponential(gamma: f64) => mode = CycleHeight::Exponential, gamma = gamma;
}

impl Cyclic {
    /// Between the lowest and the highest rate, which is the optimizer's for `None`.
    pub fn new(base: f64, rate: impl Into<Option<f64>>) -> Self {
        Self { base, up: 2000, down: None, mode: CycleHeight::Triangular, gamma: 1.0, rate: rate.into() }
    }
}

impl Schedule for Cyclic {
    fn rate(&self, step: Step) -> f64 {
        let up = self.up as f64;
        let all = up + self.down.unwrap_or(self.up) as f64;
        let s = step.index as f64;
        let cycle = (1.0 + s / all).floor();
        let x = 1.0 + s / all - cycle;
        let top = up / all;
        let height = if x <= top { x / top } else { (x - 1.0) / (top - 1.0) };
        let scale = match self.mode {
            CycleHeight::Triangular => 1.0,
            CycleHeight::Halved => 0.5f64.powf(cycle - 1.0),
            CycleHeight::Exponential => self.gamma.powf(s),
        };
        self.base + (self.rate.unwrap_or(f64::NAN) - self.base) * height * scale
    }

    described_schedule!();
}
