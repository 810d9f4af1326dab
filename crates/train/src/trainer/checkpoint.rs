//! Saving a training and resuming it.

use std::path::Path;

use chainrule_tensor::{Buffer, Real, Seed};

use super::error::TrainError;
use super::{State, Trainer};
use crate::model::file::{self, Contents, EpochPosition, FileError, Training};
use crate::model::load::Origin;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Writes a checkpoint: the model, and all that training needs to resume with the same bits, also in the middle of an epoch.
    ///
    /// # Errors
    ///
    /// [`FileError`] with the path and the system's error; [`FileError::CarriedStates`] in the middle of an epoch of a model that
    /// carries states from batch to batch.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        if self.samples_done() > 0 && self.model.plan().is_stateful() {
            return Err(FileError::CarriedStates { path: path.to_owned() });
        }
        let State { optimizer_state: state, numbers, buckets, .. } = &self.state;
        let plateau = file::bytes(&self.plateau_numbers());
        let bytes = |state: &[T]| {
            [file::bytes(&buckets.state_by_slot(state)), file::bytes(numbers), plateau.clone()].concat()
        };
        let training = Training {
            epoch: self.state.epoch,
            step: self.state.step,
            seed: self.seed.0,
            batch_size: self.batch_size as u64,
            shards: self.shard_count() as u64,
            shuffle: self.shuffle,
            setup: self.setup(),
            state: if state.len() < buckets.state_len() {
                // There is none before the first fit: that with which it will begin.
                let mut state = Buffer::zeros(buckets.state_len());
                let mut params = self.model.parameters.clone();
                let step = self.state.at();
                buckets.for_each(step, &mut params, &mut state, numbers, |pass| self.optimizer.start(pass));
                bytes(&state)
            } else {
                bytes(state)
            },
        };
        let position = self.position();
        let epoch_weight = position.as_ref().map(|_| self.state.epoch_weight);
        let contents = Contents { position, epoch_weight, ..Contents::of(&self.model, Some(training)) };
        file::write(path, &contents)
    }

    /// Resumes a training from a checkpoint. The trainer must have the same layers, loss and optimizer; the seed, the batch
    /// size, the number of shards and whether samples are shuffled come from the file. Settings changed afterwards replace
    /// these, and make it another training.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if the file cannot be used, [`TrainError::Checkpoint`] if it is of another training.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let (mut contents, current) = file::read_with_version(path)?;
        let training = contents.training.take();
        let position = contents.position.take().unwrap_or_default();
        // In files that know no weights, each sample counts 1.
        let epoch_weight = contents.epoch_weight.unwrap_or(position.samples as f64);
        let training = training.ok_or_else(|| FileError::NotACheckpoint { path: path.to_owned() })?;
        let setup = self.setup();
        if training.setup != setup && (current || !names_follow(&training.setup, &setup)) {
            let message = format!("it was made with {}, this trainer has {setup}", training.setup);
            return Err(TrainError::Checkpoint(message));
        }
        let model = contents.into_model(path, self.model.layers().clone(), Origin::Program)?;
        if model.input() != self.model.input() {
            let message = format!("its samples have the shape {}", model.input());
            return Err(TrainError::Checkpoint(message));
        }
        self.read_optimizer_state(&training.state)?;
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        self.state.epoch = training.epoch;
        self.state.position = position;
        self.state.epoch_weight = epoch_weight;
        self.state.step = training.step;
        self.seed = Seed(training.seed);
        self.batch_size = size(training.batch_size);
        self.shards = Some(size(training.shards));
        self.shuffle = training.shuffle;
        self.model = model;
        self.state.shards.clear();
        Ok(self)
    }

    /// Takes the optimizer's state from the bytes of a checkpoint.
    fn read_optimizer_state(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let other_length = || TrainError::Checkpoint("the optimizer's state has another length".into());
        self.make_optimizer_state()?;
        let State { optimizer_state, numbers, buckets, .. } = &mut self.state;
        let (by_slot, of_training) =
            bytes.split_at_checked(size_of_val(&**optimizer_state)).ok_or_else(other_length)?;
        let mut values = optimizer_state.clone();
        file::numbers(by_slot, &mut values).ok_or_else(other_length)?;
        let (of_training, of_plateau) =
            of_training.split_at_checked(size_of_val(&**numbers)).ok_or_else(other_length)?;
        file::numbers(of_training, numbers).ok_or_else(other_length)?;
        buckets.state_by_bucket(&values, optimizer_state);
        let mut plateau = self.plateau_numbers();
        file::numbers(of_plateau, &mut plateau).ok_or_else(other_length)?;
        self.restore_plateau(&plateau);
        Ok(())
    }

    /// How far the training is in its epoch, if it stopped in the middle of one.
    fn position(&self) -> Option<EpochPosition> {
        let position = &self.state.position;
        (position.samples > 0).then(|| EpochPosition { metrics: self.metric_numbers(), ..position.clone() })
    }

    fn setup(&self) -> String {
        format!("{:?} and {:?}", self.loss, self.optimizer)
    }
}

/// Whether the names of things in a setup of an older version, which wrote their settings in other ways, are also in this one, in
/// this order.
fn names_follow(old: &str, new: &str) -> bool {
    let mut rest = names(new);
    names(old).all(|name| rest.any(|found| found == name))
}

/// The names in a setup that are no settings and no values, in small letters.
fn names(setup: &str) -> impl Iterator<Item = String> + '_ {
    let words = setup.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_'));
    let name = |word: &str| {
        let name = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        let is_value = ["false", "true", "None", "none", "Some", "and"].contains(&name);
        let is_name =
            name.starts_with(|c: char| c.is_alphabetic()) && !word.ends_with([':', '=']) && !is_value;
        is_name.then(|| name.replace('_', "").to_lowercase())
    };
    words.filter_map(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_older_versions() {
        let old = "Mse { smoothing: 0.1 } and (Clip(5.0), Adam { rate: WarmUp { steps: 5, then: 0.1 }, keras: false })";
        let new = "Mse { reduction: Mean, smoothing: 0.1 } and (Clip(5.0), Adam { rate: warm_up(steps=5), beta: 1e-8 })";
        let found: Vec<_> = names(old).collect();
        assert_eq!(found, ["mse", "clip", "adam", "warmup"]);
        assert!(names_follow(old, new));
        for other in [
            "Mse { smoothing: 0.1 } and (Clip(5.0), Sgd { rate: warm_up(steps=5), beta: 1e-8 })",
            "Mse { smoothing: 0.1 } and Adam { rate: warm_up(steps=5), beta: 1e-8 }",
        ] {
            assert!(!names_follow(old, other), "{other}");
        }
    }
}
