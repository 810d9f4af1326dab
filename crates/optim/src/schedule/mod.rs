//! Schedules: learning rates that change from step to step.
//!
//! A schedule counts steps (batches) from 0; [`ByEpoch`] lets it count epochs instead. Where a schedule leaves out its length, that is
//! the rest of the run, and in a text one that leaves out its rate has that of the optimizer:
//!
//! ```
//! use chainrule_optim::{schedule::{Cosine, WarmUp}, sgd};
//! sgd(0.1);
//! sgd(|step| 0.1 / (1.0 + step as f64).sqrt());
//! sgd(Cosine::new(0.1)); // over the whole run
//! sgd(WarmUp::new(100).then(Cosine::new(0.1).steps(10_000).floor(1e-4)));
//! ```
//!
//! A trainer checks the rates of all steps before the first. [`ReduceOnPlateau`] is the one schedule whose rates are not known in
//! advance: it follows what an evaluation of each epoch finds.

mod by_epoch;
mod chained;
mod constant;
mod cosine;
mod cosine_restarts;
mod cyclic;
mod exponential;
mod inverse_time;
mod kind;
mod lambda;
mod linear;
mod multi_step;
mod multiplicative;
mod noam;
mod number;
mod one_cycle;
mod piecewise_constant;
mod plateau;
mod polynomial;
mod sequential;
mod step_decay;
mod swa;
mod warm_up;

use std::fmt;
use std::sync::Arc;

pub use by_epoch::*;
pub use chained::*;
pub use constant::*;
pub use cosine::*;
pub use cosine_restarts::*;
pub use cyclic::*;
pub use exponential::*;
pub use inverse_time::*;
pub use kind::*;
pub use lambda::*;
pub use linear::*;
pub use multi_step::*;
pub use multiplicative::*;
pub use noam::*;
pub use one_cycle::*;
pub use piecewise_constant::*;
pub use plateau::*;
pub use polynomial::*;
pub use sequential::*;
pub use step_decay::*;
pub use swa::*;
pub use warm_up::*;

use crate::{Real, SettingError, Step};
use chainrule_core::{Description, SettingCheck, Value};

/// The learning rate as a function of the step.
///
/// A number, `f64` or `f32`, is the constant schedule, and every `Fn(u64) -> f64` is a schedule. The trait does not require `Debug`, which
/// closures lack; [`description`](Self::description) stands in for it.
pub trait Schedule: Send + Sync {
    /// The learning rate of a step: a function of nothing else, since it is evaluated for any step, in any order, on any thread.
    /// A trainer refuses a rate that is negative or not finite: see [`check_rate`].
    ///
    /// It is NaN where it depends on something that the step's run does not tell.
    fn rate(&self, step: Step) -> f64;

    /// The number of steps after which the schedule that follows it begins; `None`, the default, if it has no end of its own.
    fn length(&self) -> Option<u64> {
        None
    }

    /// The same with this rate where it leaves out its own; `None`, the default, if it leaves out nothing.
    fn with_rate(&self, rate: f64) -> Option<Arc<dyn Schedule>> {
        let _ = rate;
        None
    }

    /// What it is in front of `next`, for a schedule that depends on the next one, as a warm-up does; `None` by default.
    fn in_front_of(&self, next: &Arc<dyn Schedule>) -> Option<Arc<dyn Schedule>> {
        let _ = next;
        None
    }

    /// Whether a rate that it leaves out is that with which the schedule in front of it ends; `false` by default.
    fn continues(&self) -> bool {
        false
    }

    /// What reduces the rate when a quantity stops improving, if anything does; `None` by default.
    fn plateau(&self) -> Option<&ReduceOnPlateau> {
        None
    }

    /// Checks the settings. The default checks the rate of the first step.
    ///
    /// # Errors
    ///
    /// [`SettingError`] if a setting is out of range, or the rate is left out.
    fn validate(&self) -> Result<(), SettingError> {
        SettingCheck("schedule").not_negative("learning rate at step 0", self.rate(Step::default()))
    }

    /// What this is: that of its entry, if it has one. The default, for closures, tells the rate of step 0.
    fn description(&self) -> Description {
        Description::new("function").with("first", self.rate(Step::default()))
    }

    /// The description as the value of a setting; a number for a constant rate.
    fn value(&self) -> Value {
        self.description().into()
    }
}

impl fmt::Debug for dyn Schedule + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value(), f)
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

/// Checks that a schedule of this title has a rate.
fn check_given(owner: &'static str, rate: Option<f64>) -> Result<(), SettingError> {
    let conflict =
        "it has no rate: give it one, or use it in the text of an optimizer, whose rate it then has";
    rate.map(|_| ()).ok_or(SettingError::Conflict { owner, conflict })
}

/// In an `impl Schedule` of a type with an entry and a field `rate: Option<f64>`: how that is filled in, and the description.
macro_rules! optional_rate {
    () => {
        fn with_rate(&self, rate: f64) -> Option<std::sync::Arc<dyn Schedule>> {
            let filled = || std::sync::Arc::new(Self { rate: Some(rate), ..self.clone() }) as _;
            self.rate.is_none().then(filled)
        }

        chainrule_core::described!();
    };
}
use optional_rate;

/// The same where nothing else is to be checked than the ranges of the entry.
macro_rules! described_schedule {
    () => {
        fn validate(&self) -> Result<(), crate::SettingError> {
            chainrule_core::Described::check_ranges(self)?;
            super::check_given(<Self as chainrule_core::Described>::ENTRY.title, self.rate)
        }

        super::optional_rate!();
    };
}
use described_schedule;

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl Schedule for $pointer {
            fn rate(&self, step: Step) -> f64 {
                (**self).rate(step)
            }

            fn length(&self) -> Option<u64> {
                (**self).length()
            }

            fn with_rate(&self, rate: f64) -> Option<Arc<dyn Schedule>> {
                (**self).with_rate(rate)
            }

            fn in_front_of(&self, next: &Arc<dyn Schedule>) -> Option<Arc<dyn Schedule>> {
                (**self).in_front_of(next)
            }

            fn continues(&self) -> bool {
                (**self).continues()
            }

            fn plateau(&self) -> Option<&ReduceOnPlateau> {
                (**self).plateau()
            }

            fn validate(&self) -> Result<(), SettingError> {
                (**self).validate()
            }

            fn description(&self) -> Description {
                (**self).description()
            }

            fn value(&self) -> Value {
                (**self).value()
            }
        }
    )*};
}
forward!(Box<dyn Schedule>, Arc<dyn Schedule>);
