//! Saving a training, and going on with it.

use std::path::Path;

use chainrule_tensor::{Real, Seed};

use super::Trainer;
use crate::TrainError;
use crate::file::{self, Contents, FileError, Training};

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Writes the model and all that training needs to go on with the same bits.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the path and what the system says.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let (slots, state) = (self.optimizer.slots(), &self.run.state);
        let training = Training {
            epoch: self.run.epoch,
            step: self.run.step,
            seed: self.seed.0,
            batch_size: self.batch_size as u64,
            shards: self.shard_count() as u64,
            shuffle: self.shuffle,
            setup: self.setup(),
            // Before the first fit it is made of zeros, whose bytes are 0.
            state: match state.is_empty() {
                true => vec![0; slots * size_of_val(self.model.parameters())],
                false => file::bytes(&self.run.pieces.state_by_slot(state, slots)),
            },
        };
        file::write(path.as_ref(), &Contents::of(&self.model, Some(training)))
    }

    /// Takes up a training that was saved, where it stood. The trainer must have the same layers, loss and
    /// optimizer; seed, batch size, shards and whether samples are shuffled come from the file. Settings that are made
    /// after it take their place, and then it is another training.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if the file cannot be used, [`TrainError::Checkpoint`] if it is of another training.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let mut contents = file::read(path)?;
        let training = contents.training.take();
        let training = training.ok_or_else(|| FileError::NotACheckpoint { path: path.to_owned() })?;
        if training.setup != self.setup() {
            let message = format!("it was made with {}, this trainer has {}", training.setup, self.setup());
            return Err(TrainError::Checkpoint(message));
        }
        let model = contents.into_model(path, self.model.layers().clone())?;
        if model.input() != self.model.input() {
            let message = format!("its samples have the shape {}", model.input());
            return Err(TrainError::Checkpoint(message));
        }
        self.make_state()?;
        let mut by_slot = self.run.state.clone();
        if file::numbers(&training.state, &mut by_slot).is_none() {
            return Err(TrainError::Checkpoint("the optimizer's state has another length".into()));
        }
        self.run.pieces.state_by_piece(&by_slot, &mut self.run.state, self.optimizer.slots());
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        (self.run.epoch, self.run.step, self.seed) = (training.epoch, training.step, Seed(training.seed));
        (self.batch_size, self.shards) = (size(training.batch_size), Some(size(training.shards)));
        self.shuffle = training.shuffle;
        self.model = model;
        self.run.shards.clear();
        Ok(self)
    }

    fn setup(&self) -> String {
        format!("{:?} and {:?}", self.loss, self.optimizer)
    }
}
