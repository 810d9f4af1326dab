//! Schedules: learning rates that change from step to step.
//!
//! A schedule counts steps (batches) from 0, not epochs. PyTorch's `ConstantLR` is a plain number here, its `LambdaLR` a
//! closure:
//!
//! ```
//! use chainrule_optim::{schedule::{Cosine, WarmUp}, sgd};
//! sgd(0.1);
//! sgd(|step| 0.1 / (1.0 + step as f64).sqrt());
//! sgd(WarmUp { steps: 100, then: Cosine { rate: 0.1, steps: 10_000, floor: 1e-4 } });
//! ```

mod cosine;
mod step_decay;
mod warm_up;

use std::fmt;
use std::sync::Arc;

pub use cosine::*;
pub use step_decay::*;
pub use warm_up::*;

use crate::{Real, SettingError, Step};
use chainrule_core::SettingCheck;

/// The learning rate as a function of the step.
///
/// A number, `f64` or `f32`, is the constant schedule, and every `Fn(u64) -> f64` is a schedule. The trait does not require `Debug`, which
/// closures lack; [`describe`](Self::describe) stands in for it.
pub trait Schedule: Send + Sync {
    /// The learning rate of a step: a function of nothing else, since it is evaluated for any step, in any order, on any thread.
    /// A trainer refuses a rate that is negative or not finite: see [`check_rate`].
    fn rate(&self, step: Step) -> f64;

    /// Checks the settings. The default checks the rate of the first step.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if a rate is negative, infinite or NaN.
    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("schedule").not_negative("learning rate at step 0", self.rate(Step::default()))
    }

    /// Writes what this schedule is, for the `Debug` output of optimizers.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at step 0", self.rate(Step::default()))
    }
}

impl fmt::Debug for dyn Schedule + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

/// Checks the rate of a step: a finite number of at least 0, also when it is rounded to `T`.
///
/// # Errors
///
/// [`SettingError::Rate`], naming the schedule, the step and the rate.
pub fn check_rate<T: Real>(schedule: &dyn Schedule, step: Step) -> Result<(), SettingError> {
    let rate = schedule.rate(step);
    if rate >= 0.0 && T::of(rate).is_finite() {
        return Ok(());
    }
    Err(SettingError::Rate { schedule: format!("{schedule:?}"), step: step.index, rate })
}

macro_rules! constant {
    ($($number:ty),*) => {$(
        impl Schedule for $number {
            fn rate(&self, _: Step) -> f64 {
                f64::from(*self)
            }

            fn validate(&self) -> Result<(), SettingError> {
                SettingCheck("schedule").not_negative("learning rate", f64::from(*self))
            }

            fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(self, f)
            }
        }
    )*};
}
constant!(f32, f64);

impl<F: Fn(u64) -> f64 + Send + Sync> Schedule for F {
    fn rate(&self, step: Step) -> f64 {
        self(step.index)
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl Schedule for $pointer {
            fn rate(&self, step: Step) -> f64 {
                (**self).rate(step)
            }

            fn validate(&self) -> Result<(), SettingError> {
                (**self).validate()
            }

            fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).describe(f)
            }
        }
    )*};
}
forward!(Box<dyn Schedule>, Arc<dyn Schedule>);
