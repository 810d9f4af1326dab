use std::sync::Arc;

use chainrule_core::{describe, described};

use super::{ReduceOnPlateau, Schedule};
use crate::{Run, SettingError, Step};

/// A schedule that counts epochs instead of steps, as PyTorch's do if `step()` is called once an epoch: `by_epoch(step(30))`.
///
/// All its numbers of steps are numbers of epochs, and the rate is constant within an epoch.
///
/// ```
/// use chainrule_optim::schedule::{ByEpoch, StepDecay};
/// ByEpoch::new(StepDecay::new(0.1, 30));
/// ```
#[derive(Clone, Debug)]
pub struct ByEpoch {
    schedule: Arc<dyn Schedule>,
}

describe! {
    /// A schedule that counts epochs instead of steps.
    ByEpoch = "by_epoch";
    formula "η(s) = η(⌊s / steps per epoch⌋)";
    settings {
        /// The schedule, whose numbers of steps are numbers of epochs.
        schedule: required;
    }
}

impl ByEpoch {
    /// This schedule, with epochs for steps.
    pub fn new(schedule: impl Schedule + 'static) -> Self {
        Self { schedule: Arc::new(schedule) }
    }
}

impl Schedule for ByEpoch {
    fn rate(&self, step: Step) -> f64 {
        let Some(steps_per_epoch) = step.run.steps_per_epoch.filter(|&steps| steps > 0) else {
            return f64::NAN;
        };
        let steps = step.run.steps.map(|steps| steps.div_ceil(steps_per_epoch));
        let run = Run { steps, steps_per_epoch: Some(1), ..step.run };
        self.schedule.rate(Step { index: step.index / steps_per_epoch, run })
    }

    fn with_rate(&self, rate: f64) -> Option<Arc<dyn Schedule>> {
        Some(Arc::new(Self { schedule: self.schedule.with_rate(rate)? }))
    }

    fn continues(&self) -> bool {
        self.schedule.continues()
    }

    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        self.schedule.plateau()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.schedule.validate()
    }

    described!();
}
