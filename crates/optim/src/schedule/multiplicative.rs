use std::sync::{Mutex, PoisonError};

use chainrule_core::{Description, SettingCheck};

use super::Schedule;
use crate::{SettingError, Step};

/// The rate is multiplied by a function of the step in each: `η(s) = η f(1) f(2) ... f(s)` (PyTorch's `MultiplicativeLR`).
///
/// ```
/// use chainrule_optim::schedule::MultiplicativeSchedule;
/// MultiplicativeSchedule::new(0.1, |step| if step % 100 == 0 { 0.5 } else { 1.0 });
/// ```
pub struct MultiplicativeSchedule<F> {
    rate: f64,
    factor: F,
    /// The last step, and its rate: the next product has one more factor.
    last: Mutex<(u64, f64)>,
}

impl<F: Fn(u64) -> f64 + Send + Sync> MultiplicativeSchedule<F> {
    /// This rate, multiplied by the factor of each step from step 1.
    pub fn new(rate: f64, factor: F) -> Self {
        Self { rate, factor, last: Mutex::new((0, rate)) }
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync> Schedule for MultiplicativeSchedule<F> {
    fn rate(&self, step: Step) -> f64 {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 > step.index {
            *last = (0, self.rate);
        }
        while last.0 < step.index {
            let next = last.0 + 1;
            *last = (next, last.1 * (self.factor)(next));
        }
        last.1
    }

    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("MultiplicativeSchedule").not_negative("rate", self.rate)
    }

    fn description(&self) -> Description {
        Description::new("multiplicative").with("rate", self.rate)
    }
}
