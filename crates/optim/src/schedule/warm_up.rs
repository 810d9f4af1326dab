use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};

use super::{Schedule, check_given};
use crate::setters::setters;
use crate::{Run, SettingError, Step};

/// Linear warm-up before another schedule: `η(s) = η (s + 1) / (steps + 1)` for `s < steps`, with η the first rate of that schedule,
/// which then begins (Goyal et al. 2017, section 2.2). No step has rate 0.
///
/// With a start factor f it is `η (f + (1 - f) s / steps)`, as PyTorch's `LinearLR` and optax' `warmup_cosine_decay_schedule`.
#[derive(Clone, Debug)]
pub struct WarmUp {
    steps: u64,
    start_factor: Option<f64>,
    schedule: Option<Arc<dyn Schedule>>,
    rate: Option<f64>,
}

describe! {
    /// Linear warm-up to the first rate of the schedule that follows.
    WarmUp = "warm_up";
    aliases ["warmup", "linear_warmup"];
    formula "η(s) = η (s + 1) / (steps + 1)";
    source "Goyal et al. 2017";
    settings {
        /// The number of steps before the schedule begins.
        steps ("warmup_steps", "total_iters"): required, Range::NOT_NEGATIVE;
        /// The factor f of the first rate, instead of 1 / (steps + 1): η(s) = η (f + (1 - f) s / steps).
        start_factor: none, Range::UNIT;
        /// The schedule that follows; a constant rate if it is left out.
        schedule: none;
        /// The rate η where no schedule follows; that of the optimizer if it is left out.
        rate ("lr", "learning_rate", "base_lr"): none, Range::NOT_NEGATIVE;
    }
}

setters! { WarmUp;
    /// The factor of the first rate, from which it rises in a straight line; 1 / (steps + 1) by default.
    start_factor(factor: f64) => start_factor = Some(factor);
    /// The schedule that follows, whose step 0 is the first after the warm-up. It may be a number.
    then(schedule: impl Schedule + 'static) => schedule = Some(Arc::new(schedule));
}

impl WarmUp {
    /// A warm-up of so many steps.
    pub fn new(steps: u64) -> Self {
        Self { steps, start_factor: None, schedule: None, rate: None }
    }

    /// The rate of a step of what follows.
    fn following(&self, step: Step) -> f64 {
        match &self.schedule {
            Some(schedule) => schedule.rate(step),
            None => self.rate.unwrap_or(f64::NAN),
        }
    }
}

impl Schedule for WarmUp {
    fn rate(&self, step: Step) -> f64 {
        let run = Run { steps: step.run.steps.map(|steps| steps.saturating_sub(self.steps)), ..step.run };
        if let Some(index) = step.index.checked_sub(self.steps) {
            return self.following(Step { index, run });
        }
        let factor = match self.start_factor {
            Some(first) => first + (1.0 - first) * (step.index as f64 / self.steps as f64),
            None => step.number() / (self.steps as f64 + 1.0),
        };
        self.following(Step { index: 0, run }) * factor
    }

    fn length(&self) -> Option<u64> {
        match &self.schedule {
            Some(schedule) => Some(self.steps.saturating_add(schedule.length()?)),
            None => Some(self.steps),
        }
    }

    fn with_rate(&self, rate: f64) -> Option<Arc<dyn Schedule>> {
        let filled = match &self.schedule {
            Some(schedule) => Self { schedule: Some(schedule.with_rate(rate)?), ..self.clone() },
            None if self.rate.is_none() => Self { rate: Some(rate), ..self.clone() },
            None => return None,
        };
        Some(Arc::new(filled))
    }

    fn in_front_of(&self, next: &Arc<dyn Schedule>) -> Option<Arc<dyn Schedule>> {
        let alone = self.schedule.is_none() && self.rate.is_none();
        alone.then(|| Arc::new(Self { schedule: Some(Arc::clone(next)), ..self.clone() }) as _)
    }

    fn plateau(&self) -> Option<&super::ReduceOnPlateau> {
        self.schedule.as_ref()?.plateau()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check_ranges()?;
        match &self.schedule {
            Some(schedule) => schedule.validate(),
            None => check_given("WarmUp", self.rate),
        }
    }

    described!();
}
