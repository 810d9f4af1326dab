use std::fmt;

use super::Schedule;
use crate::{Run, SettingError, Step};

/// Linear warm-up before another schedule: `η(s) = then(0) (s + 1) / (steps + 1)` for `s < steps`, and `then(s - steps)`
/// from then on (Goyal et al. 2017, section 2.2). No step has rate 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarmUp<S> {
    /// The number of steps before the schedule begins.
    pub steps: u64,
    /// The schedule, whose step 0 is the first after the warm-up.
    pub then: S,
}

impl<S: Schedule> Schedule for WarmUp<S> {
    fn rate(&self, step: Step) -> f64 {
        let steps = step.run.steps.map(|steps| steps.saturating_sub(self.steps));
        let run = Run { steps, ..step.run };
        match step.index.checked_sub(self.steps) {
            Some(index) => self.then.rate(Step { index, run }),
            None => self.then.rate(Step { index: 0, run }) * (step.number() / (self.steps as f64 + 1.0)),
        }
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.then.validate()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then: &dyn Schedule = &self.then;
        f.debug_struct("WarmUp").field("steps", &self.steps).field("then", &then).finish()
    }
}
