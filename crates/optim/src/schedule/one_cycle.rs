use std::f64::consts::PI;

use chainrule_core::{Range, describe, setting_words};

use super::{Schedule, described_schedule};
use crate::Step;
use crate::setters::setters;

/// The curve from one rate to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

setting_words! { Anneal { Cos = "cos", Linear = "linear" } }

impl Anneal {
    /// The rate between two others, of whose distance this part is covered.
    fn between(self, [from, to]: [f64; 2], part: f64) -> f64 {
        match self {
            Self::Cos => to + (from - to) / 2.0 * ((PI * part).cos() + 1.0),
            Self::Linear => (to - from) * part + from,
        }
    }
}

/// One cycle (Smith and Topin 2018): from a low rate up to the highest, then down far below the first (PyTorch's `OneCycleLR`).
///
/// The first rate is η / `div_factor`, the last that one / `final_div_factor`, where it stays. With `three_phase` it goes down to the
/// first rate in as many steps as up, then on to the last. PyTorch's also cycles the momentum by default; this is the learning rate
/// alone.
#[derive(Clone, Debug, PartialEq)]
pub struct OneCycle {
    steps: Option<u64>,
    part_up: f64,
    anneal: Anneal,
    div_factor: f64,
    final_div_factor: f64,
    three_phase: bool,
    rate: Option<f64>,
}

describe! {
    /// One cycle: from a low rate up to the highest, then down far below the first.
    OneCycle = "one_cycle";
    aliases ["OneCycleLR", "onecycle"];
    formula "η / div → η → η / (div final_div)";
    source "Smith and Topin 2018";
    settings {
        /// The number of steps; all of the run if they are left out.
        steps ("total_steps"): none, Range::AT_LEAST_ONE;
        /// The part of the steps in which the rate rises.
        part_up as "pct_start": 0.3, Range::UNIT;
        /// The curve: cos or linear.
        anneal ("anneal_strategy"): cos;
        /// The highest rate over the first.
        div_factor: 25.0, Range::POSITIVE;
        /// The first rate over the last.
        final_div_factor: 10000.0, Range::POSITIVE;
        /// Whether the rate falls in two phases, the first as long as the rise.
        three_phase: false;
        /// The highest rate η; that of the optimizer if it is left out.
        rate ("max_lr", "peak_value"): none, Range::NOT_NEGATIVE;
    }
}

setters! { OneCycle;
    /// The number of steps; all of the run by default.
    steps(steps: u64) => steps = Some(steps);
    /// The part of the steps in which the rate rises; 0.3 by default.
    part_up(part: f64) => part_up = part;
    /// Straight lines instead of cosines.
    linear() => anneal = Anneal::Linear;
    /// The highest rate over the first, 25 by default, and the first over the last, 10⁴ by default.
    factors(div: f64, final_div: f64) => div_factor = div, final_div_factor = final_div;
    /// Falls in two phases, the first as long as the rise.
    three_phase() => three_phase = true;
}

impl OneCycle {
    /// With this highest rate, or the optimizer's for `None`, over the run.
    pub fn new(rate: impl Into<Option<f64>>) -> Self {
        Self {
            steps: None,
            part_up: 0.3,
            anneal: Anneal::Cos,
            div_factor: 25.0,
            final_div_factor: 1e4,
            three_phase: false,
            rate: rate.into(),
        }
    }
}

impl Schedule for OneCycle {
    fn rate(&self, step: Step) -> f64 {
        let Some(steps) = step.length(self.steps) else { return f64::NAN };
        let highest = self.rate.unwrap_or(f64::NAN);
        let first = highest / self.div_factor;
        let last = first / self.final_div_factor;
        let end = steps as f64 - 1.0;
        let s = (step.index as f64).min(end);
        let top = self.part_up * steps as f64 - 1.0;
        // Where the second phase ends, if there are three.
        let bottom = 2.0 * self.part_up * steps as f64 - 2.0;
        let (begin, end, rates) = match self.three_phase {
            _ if s <= top => (0.0, top, [first, highest]),
            false => (top, end, [highest, last]),
            true if s <= bottom => (top, bottom, [highest, first]),
            true => (bottom, end, [first, last]),
        };
        let part = if end > begin { (s - begin) / (end - begin) } else { 1.0 };
        self.anneal.between(rates, part)
    }

    fn length(&self) -> Option<u64> {
        self.steps
    }

    described_schedule!();
}
