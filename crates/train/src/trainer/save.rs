//! Making checkpoints: all that a training needs to go on with the same bits.

use std::path::Path;
use std::sync::Arc;

use chainrule_metrics::MetricValue;
use chainrule_optim::Update;
use chainrule_tensor::{Buffer, Real};

use super::checkpoint::Checkpoint;
use super::error::TrainError;
use super::history::{EpochReport, Scores};
use super::wishes::Wishes;
use super::{State, Trainer};
use crate::model::file::{Contents, EpochPosition, EpochRecord, FileError, RunRecord, ScoreRecord, Training};
use crate::numbers;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Writes a checkpoint: the model, and all that training needs to resume with the same bits, also in the middle of an epoch. It
    /// contains the state of the callbacks, and what was [noted](Self::note).
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] with the path and the system's error, and those of [`checkpoint`](Self::checkpoint).
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        self.checkpoint()?.write(path)
    }

    /// A checkpoint in memory, to be written later.
    ///
    /// # Errors
    ///
    /// [`FileError::CountsOfOthers`] after an error in the middle of an epoch of a [group](Self::group) of processes;
    /// [`FileError::StateOfOthers`] where each of its processes keeps the optimizer's state of its part of the parameters, unless a
    /// callback asks for it, since the others need not save at the same time: with [`checkpoint_together`](Self::checkpoint_together) they do;
    /// [`FileError::CarriedStates`] in the middle of an epoch of a model with a stateful layer that does not hand its state over. Those
    /// of chainrule do.
    pub fn checkpoint(&self) -> Result<Checkpoint, FileError> {
        if self.samples_done() > 0 && self.model.plan().is_stateful() && !self.hands_over_states() {
            return Err(FileError::CarriedStates);
        }
        if self.place.is_some() && self.samples_done() > 0 && self.state.tallies.counted_alone() {
            return Err(FileError::CountsOfOthers);
        }
        let State { optimizer_state: state, numbers, buckets, part, gathered, .. } = &self.state;
        if part.is_some() && gathered.is_none() {
            return Err(FileError::StateOfOthers);
        }
        let plateau = numbers::bytes(&self.plateau_numbers());
        let bytes = |state: &[u8]| [state, &numbers::bytes(numbers), &plateau].concat();
        let by_slot = |state: &[T]| bytes(&numbers::bytes(&buckets.state_by_slot(state)));
        let training = Training {
            epoch: self.state.epoch,
            step: self.state.step,
            seed: self.seed.0,
            batch_size: self.batch_size as u64,
            shards: self.shard_count() as u64,
            shuffle: self.shuffle,
            setup: self.setup(),
            state: if let Some(gathered) = gathered {
                bytes(gathered)
            } else if state.len() < buckets.state_len() {
                // There is none before the first fit: that with which it will begin.
                let mut state = Buffer::zeros(buckets.state_len());
                let mut params = self.model.parameters.clone();
                let at = (self.state.at(), &numbers[..]);
                let start = |pass: Update<'_, T>| self.optimizer.start(pass);
                buckets.for_each(buckets.updated(), at, &mut params, &mut state, start);
                by_slot(&state)
            } else {
                by_slot(state)
            },
        };
        let position = self.position();
        let epoch_weight = position.as_ref().map(|_| self.state.epoch_weight);
        let record = Some(self.record());
        let contents =
            Contents { position, epoch_weight, record, ..Contents::of(&self.model, Some(training)) };
        Ok(Checkpoint { contents: Arc::new(contents) })
    }

    /// A checkpoint that all processes of a [group](Self::group) make together, each of which calls this at the same point of its program. Those
    /// that have `wanted` it get it. In one process it is [`checkpoint`](Self::checkpoint).
    ///
    /// Where each process keeps the optimizer's state of its part of the parameters, the others send theirs to those that want it, each of which
    /// then has the whole in its memory.
    ///
    /// ```no_run
    /// # use chainrule_data::digits;
    /// # use chainrule_tensor::Seed;
    /// # use chainrule_train::{Group, ThreadGroup, Trainer, TrainError};
    /// # fn save(mut trainer: Trainer<f32, u8>, group: &ThreadGroup) -> Result<(), TrainError> {
    /// trainer.fit(&digits(1000, Seed(1)), 5)?;
    /// if let Some(checkpoint) = trainer.checkpoint_together(group.rank() == 0)? {
    ///     checkpoint.write("mnist.training")?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrainError::Group`] if another process does something else, has failed, or cannot be reached, also after an earlier error in the group;
    /// [`TrainError::Memory`] if there is not enough for the state of all; [`TrainError::File`] as [`checkpoint`](Self::checkpoint).
    pub fn checkpoint_together(&mut self, wanted: bool) -> Result<Option<Checkpoint>, TrainError> {
        self.in_group(|this| {
            // Whoever waits elsewhere expects another message.
            let _nobody_stops = this.agree(Wishes { save: wanted, ..Wishes::default() })?;
            let checkpoint = wanted.then(|| this.checkpoint()).transpose();
            this.state.gathered = None;
            Ok(checkpoint?)
        })
    }

    /// What else a checkpoint holds of the run.
    fn record(&self) -> RunRecord {
        let State { skipped, skipped_in_a_row, history, restored, .. } = &self.state;
        let states = self.callbacks.iter().filter_map(|callback| {
            let state = callback.state()?;
            Some((callback.name().to_owned(), state))
        });
        // Those of a file that the callbacks of this trainer have not taken up yet come first, as they will be taken up first.
        let callbacks = if restored.is_empty() { states.collect() } else { restored.clone() };
        RunRecord {
            skipped: *skipped,
            skipped_in_a_row: *skipped_in_a_row,
            epochs: history.iter().map(EpochRecord::of).collect(),
            callbacks,
            carried: self.carried_states(),
            notes: self.notes.clone(),
        }
    }

    /// How far the training is in its epoch, if it stopped in the middle of one.
    fn position(&self) -> Option<EpochPosition> {
        let position = &self.state.position;
        (position.samples > 0).then(|| EpochPosition {
            metrics: self.metric_numbers(),
            seconds: self.seconds(),
            ..position.clone()
        })
    }

    /// The loss and the optimizer, as a checkpoint names them.
    pub(super) fn setup(&self) -> String {
        format!("{:?} and {:?}", self.loss, self.optimizer)
    }
}

impl EpochRecord {
    fn of(report: &EpochReport) -> Self {
        let EpochReport { epoch, train, validation, seconds, samples } = report;
        Self {
            epoch: *epoch,
            samples: *samples as u64,
            seconds: *seconds,
            train: ScoreRecord::of(train),
            validation: validation.as_ref().map(ScoreRecord::of),
        }
    }
}

impl ScoreRecord {
    fn of(scores: &Scores) -> Self {
        let number = |(name, value): &(String, MetricValue)| (name.clone(), value.as_number());
        Self { loss: scores.loss, metrics: scores.metrics.iter().map(number).collect() }
    }
}
