//! What a trainer does with data, as functions that are compiled where the trainer is made.
//!
//! A generic function is compiled again in each crate that calls it, and the steps of a training take the compiler many seconds. A
//! crate that makes trainers in a function that is not generic compiles them for all who use its trainers.

use std::time::Duration;

use chainrule_data::Samples;
use chainrule_tensor::Real;

use super::Trainer;
use super::error::TrainError;
use super::fit::Fit;
use super::history::{History, Scores};

type Data<'a, T, Y> = &'a dyn Samples<T, Target = Y>;
type RunFit<T, Y> = fn(&mut Trainer<T, Y>, Data<'_, T, Y>, &Fit<'_, T, Y>) -> Result<History, TrainError>;
type Evaluate<T, Y> = fn(&mut Trainer<T, Y>, Data<'_, T, Y>) -> Result<Scores, TrainError>;
type MeasureStep<T, Y> = fn(&mut Trainer<T, Y>, Data<'_, T, Y>, Duration) -> Result<Duration, TrainError>;

/// The methods of [`Trainer`] that run steps, for numbers and targets of these types.
pub(super) struct Work<T: Real, Y> {
    pub(super) fit: RunFit<T, Y>,
    pub(super) evaluate: Evaluate<T, Y>,
    pub(super) measure_step: MeasureStep<T, Y>,
}

impl<T: Real, Y: Clone + Send + Sync> Work<T, Y> {
    pub(super) fn new() -> Self {
        Self {
            fit: |trainer, data, fit| trainer.in_group(|this| this.fit_alone_or_in_group(data, fit)),
            evaluate: Trainer::evaluate_alone_or_in_group,
            measure_step: Trainer::measure_alone,
        }
    }
}
