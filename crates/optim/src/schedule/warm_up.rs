use std::fmt;

use super::Schedule;
use crate::SettingError;

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
    fn rate(&self, step: u64) -> f64 {
        match step.checked_sub(self.steps) {
            Some(step) => self.then.rate(step),
            None => self.then.rate(0) * ((step as f64 + 1.0) / (self.steps as f64 + 1.0)),
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
