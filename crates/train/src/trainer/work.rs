//! What a trainer does with data, as functions that are compiled where the trainer is made.
//!
//! A generic function is compiled again in each crate that calls it, and the steps of a training take the compiler many seconds. A
//! crate that makes trainers in a function that is not generic compiles them for all who use its trainers.

use std::time::Duration;

use chainrule_data::Samples;
use chainrule_tensor::Real;

use super::error::TrainError;
use super::fit::Fit;
use super::history::{History, Scores};

type Data<'a, T, Y> = &'a dyn Samples<T, Target = Y>;
type RunFit<R, T, Y> = fn(&mut R, Data<'_, T, Y>, &Fit<'_, T, Y>) -> Result<History, TrainError>;
type Evaluate<R, T, Y> = fn(&mut R, Data<'_, T, Y>) -> Result<Scores, TrainError>;
type MeasureStep<R, T, Y> = fn(&mut R, Data<'_, T, Y>, Duration) -> Result<Duration, TrainError>;

/// The methods of a trainer `R` that run steps.
pub(super) struct Work<R, T: Real, Y> {
    pub(super) fit: RunFit<R, T, Y>,
    pub(super) evaluate: Evaluate<R, T, Y>,
    pub(super) measure_step: MeasureStep<R, T, Y>,
}
