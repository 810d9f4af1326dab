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
mod step;
mod warm_up;

use std::fmt;
use std::sync::Arc;

pub use cosine::*;
pub use step::*;
pub use warm_up::*;

use crate::SettingError;
use chainrule_core::SettingCheck;

/// The learning rate as a function of the step.
///
/// `f64` is the constant schedule, and every `Fn(u64) -> f64` is a schedule. The trait does not require `Debug`, which
/// closures lack; [`describe`](Self::describe) stands in for it.
pub trait Schedule: Send + Sync {
    /// The learning rate of a step; the first step is 0.
    fn rate(&self, step: u64) -> f64;

    /// Checks the settings. The default checks the rate of the first step.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if a rate is negative, infinite or NaN.
    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("schedule").not_negative("learning rate at step 0", self.rate(0))
    }

    /// Writes what this schedule is, for the `Debug` output of optimizers.
    ///
    /// # Errors
    ///
    /// Those of the formatter.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at step 0", self.rate(0))
    }
}

impl fmt::Debug for dyn Schedule + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(f)
    }
}

impl Schedule for f64 {
    fn rate(&self, _: u64) -> f64 {
        *self
    }

    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("schedule").not_negative("learning rate", *self)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl<F: Fn(u64) -> f64 + Send + Sync> Schedule for F {
    fn rate(&self, step: u64) -> f64 {
        self(step)
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl Schedule for $pointer {
            fn rate(&self, step: u64) -> f64 {
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
