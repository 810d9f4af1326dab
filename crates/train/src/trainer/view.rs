//! What a callback sees of a training, and what it may ask for.

use std::fmt;
use std::path::Path;

use chainrule_tensor::Real;

use super::error::TrainError;
use super::history::EpochReport;
use super::requests::Requests;
use super::size_record::WeightSizes;
use super::snapshot::Snapshot;
use super::warning::TrainWarning;
use crate::model::model::Model;

/// A training, as a [`Callback`](super::Callback) sees it.
///
/// What a callback asks for (to save, to go back to other weights, to fail) is done when all callbacks were told of the event, so
/// that all see the same training.
pub struct TrainerView<'a, T: Real> {
    pub(super) trainer: &'a dyn Watchable<T>,
    pub(super) requests: &'a mut Requests<T>,
}

impl<T: Real> TrainerView<'_, T> {
    /// The model as it is trained. Where the optimizer keeps a mean of the weights, see [`evaluated_model`](Self::evaluated_model).
    pub fn model(&self) -> &Model<T> {
        self.trainer.watched_model()
    }

    /// A copy of the model as it is evaluated: see [`Trainer::evaluated_model`](super::Trainer::evaluated_model).
    pub fn evaluated_model(&self) -> Model<T> {
        self.trainer.averaged_model()
    }

    /// The number of steps that were taken since the training began, those of earlier calls of `fit` and before a resume included.
    pub fn steps_done(&self) -> u64 {
        self.trainer.progress().steps_done
    }

    /// The number of steps after which this call of `fit` ends, counted as [`steps_done`](Self::steps_done).
    pub fn steps_planned(&self) -> u64 {
        self.trainer.progress().steps_planned
    }

    /// The number of epochs completed.
    pub fn epochs_done(&self) -> u64 {
        self.trainer.progress().epochs_done
    }

    /// The learning rate of the next step: that of the optimizer's first schedule, or `None` if it has none.
    pub fn learning_rate(&self) -> Option<f64> {
        self.trainer.rate()
    }

    /// The name of each metric, in the order in which they were added to the trainer.
    pub fn metric_names(&self) -> Vec<String> {
        self.trainer.names_of_metrics()
    }

    /// The reports of all epochs so far: see [`Trainer::history`](super::Trainer::history).
    pub fn history(&self) -> &[EpochReport] {
        self.trainer.epoch_reports()
    }

    /// What was recorded of the sizes of weights and gradients: see [`Trainer::weight_sizes`](super::Trainer::weight_sizes).
    pub fn weight_sizes(&self) -> &[WeightSizes] {
        self.trainer.recorded_sizes()
    }

    /// What was warned of so far: see [`Trainer::warnings`](super::Trainer::warnings).
    pub fn warnings(&self) -> &[TrainWarning] {
        self.trainer.said_warnings()
    }

    /// Copies the weights, and what is evaluated in place of them.
    ///
    /// # Errors
    ///
    /// [`TrainError::Memory`] if there is no memory for it.
    pub fn snapshot(&self, snapshot: &mut Snapshot<T>) -> Result<(), TrainError> {
        self.trainer.take_snapshot(snapshot)
    }

    /// Goes on with these weights, once all callbacks were told of the event.
    pub fn restore(&mut self, snapshot: Snapshot<T>) {
        self.requests.restore = Some(snapshot);
    }

    /// Writes a checkpoint to this file, as [`Trainer::save`](super::Trainer::save) does, once all callbacks were told of the event. If it
    /// cannot be written, the training goes on with a warning.
    pub fn save(&mut self, path: impl AsRef<Path>) {
        self.requests.save.push(path.as_ref().to_owned());
    }

    /// Has [`Callback::checkpoint`](super::Callback::checkpoint) of this callback called, once all were told of the event.
    pub fn request_checkpoint(&mut self) {
        self.requests.checkpoint = true;
    }

    /// Warns, unless the same was said before.
    pub fn warn(&mut self, warning: TrainWarning) {
        self.requests.warnings.push(warning);
    }

    /// Ends the training with this error, once all callbacks were told of the event.
    pub fn fail(&mut self, error: TrainError) {
        self.requests.error.get_or_insert(error);
    }
}

impl<T: Real> fmt::Debug for TrainerView<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TrainingProgress { steps_done, steps_planned, epochs_done } = self.trainer.progress();
        f.debug_struct("TrainerView")
            .field("steps_done", &steps_done)
            .field("steps_planned", &steps_planned)
            .field("epochs_done", &epochs_done)
            .finish_non_exhaustive()
    }
}

/// How far a training is.
#[derive(Clone, Copy, Debug)]
pub(super) struct TrainingProgress {
    pub(super) steps_done: u64,
    pub(super) steps_planned: u64,
    pub(super) epochs_done: u64,
}

/// A trainer, whatever its targets are.
pub(super) trait Watchable<T: Real> {
    fn watched_model(&self) -> &Model<T>;

    fn averaged_model(&self) -> Model<T>;

    fn progress(&self) -> TrainingProgress;

    fn rate(&self) -> Option<f64>;

    fn names_of_metrics(&self) -> Vec<String>;

    fn epoch_reports(&self) -> &[EpochReport];

    fn recorded_sizes(&self) -> &[WeightSizes];

    fn said_warnings(&self) -> &[TrainWarning];

    fn take_snapshot(&self, snapshot: &mut Snapshot<T>) -> Result<(), TrainError>;
}
