use chainrule_core::{Description, SettingCheck};

use super::Schedule;
use crate::{SettingError, Step};

/// A rate times a function of the step: `η(s) = η f(s)` (PyTorch's `LambdaLR`). A closure alone gives the rate itself.
///
/// ```
/// use chainrule_optim::schedule::LambdaSchedule;
/// LambdaSchedule::new(0.1, |step| 0.95f64.powf(step as f64));
/// ```
#[derive(Clone, Copy)]
pub struct LambdaSchedule<F> {
    rate: f64,
    factor: F,
}

impl<F: Fn(u64) -> f64 + Send + Sync> LambdaSchedule<F> {
    /// This rate times the factor of each step.
    pub fn new(rate: f64, factor: F) -> Self {
        Self { rate, factor }
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync> Schedule for LambdaSchedule<F> {
    fn rate(&self, step: Step) -> f64 {
        self.rate * (self.factor)(step.index)
    }

    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("LambdaSchedule").not_negative("rate", self.rate)
    }

    fn description(&self) -> Description {
        Description::new("lambda").with("rate", self.rate)
    }
}
