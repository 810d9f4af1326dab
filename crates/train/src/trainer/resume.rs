//! Going on from a checkpoint.

use std::path::Path;

use chainrule_metrics::{MetricValue, Undefined};
use chainrule_tensor::{Buffer, Real, Seed};

use super::error::TrainError;
use super::history::{EpochReport, Scores};
use super::warning::TrainWarning;
use super::{State, Trainer};
use crate::model::file::{self, EpochRecord, FileError, Newest, ScoreRecord};
use crate::model::load::{Origin, read_model};
use crate::model::newest::newest_by;
use crate::numbers;

/// The most steps, epochs or samples that a checkpoint may have counted, so that none of them overflows later.
const MOST: u64 = 1 << 53;

/// Why a metric that is not a number has no value in the history of a training that was resumed.
const NOT_KEPT: Undefined = Undefined("a checkpoint keeps only the metrics that are numbers");

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Resumes a training from a checkpoint. The trainer must have the same layers, loss and optimizer; the seed, the batch
    /// size, the number of shards and whether samples are shuffled come from the file. Settings changed afterwards replace
    /// these, and make it another training.
    ///
    /// Where [`Checkpoints`](crate::callbacks::Checkpoints) has kept older files and the newest is damaged or missing, the one before is
    /// taken, with a [warning](Self::warnings). Callbacks that have a state, such as early stopping, take it up when the training goes
    /// on, whether they are added before or after this.
    ///
    /// # Errors
    ///
    /// [`TrainError::File`] if no file can be used, [`TrainError::Checkpoint`] if it is of another training.
    pub fn resume(mut self, path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let Newest { path, mut contents, same_setup, passed_over } =
            newest_by(path.as_ref(), read_model::<T>)?;
        let training = contents.training.take();
        let record = contents.record.take().unwrap_or_default();
        let position = contents.position.take().unwrap_or_default();
        // In files that know no weights, each sample counts 1.
        let epoch_weight = contents.epoch_weight.unwrap_or(position.samples as f64);
        let training = training.ok_or_else(|| FileError::NotACheckpoint { path: path.clone() })?;
        let setup = self.setup();
        if training.setup != setup && (same_setup || !names_follow(&training.setup, &setup)) {
            let message = format!("it was made with {}, this trainer has {setup}", training.setup);
            return Err(TrainError::Checkpoint(message));
        }
        let model = contents.into_model(&path, self.model.layers().clone(), Origin::Program)?;
        if model.input() != self.model.input() {
            let message = format!("its samples have the shape {}", model.input());
            return Err(TrainError::Checkpoint(message));
        }
        let counts = [training.epoch, training.step, record.skipped, record.skipped_in_a_row];
        let of_position = [position.samples, position.batches, position.of];
        if counts.into_iter().chain(of_position).any(|count| count > MOST) {
            return Err(TrainError::Checkpoint("it has counted more steps than a training can take".into()));
        }
        self.read_optimizer_state(&training.state)?;
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        self.seed = Seed(training.seed);
        self.batch_size = size(training.batch_size);
        self.shards = Some(size(training.shards));
        self.shuffle = training.shuffle;
        self.model = model;
        self.notes = record.notes;
        self.state.epoch = training.epoch;
        self.state.position = position;
        self.state.epoch_weight = epoch_weight;
        self.state.step = training.step;
        self.state.skipped = record.skipped;
        self.state.skipped_in_a_row = record.skipped_in_a_row;
        self.state.history = record.epochs.into_iter().map(EpochRecord::into_report).collect();
        self.state.restored = record.callbacks;
        self.state.shards.clear();
        self.take_carried_states(record.carried)?;
        for error in passed_over {
            self.warn(TrainWarning::passed_over(&error, &path));
        }
        Ok(self)
    }

    /// Resumes the training from the newest checkpoint of this name that is whole, or begins it if there is none yet: what a program
    /// says that may be interrupted at any moment and is started again.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chainrule_core::Sequential;
    /// use chainrule_data::digits;
    /// use chainrule_layers::{Dense, Flatten};
    /// use chainrule_losses::CrossEntropy;
    /// use chainrule_optim::adam;
    /// use chainrule_tensor::Seed;
    /// use chainrule_train::callbacks::Checkpoints;
    /// use chainrule_train::{Fit, Model, Trainer};
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("digits.training");
    /// let model = Model::new([28, 28], Sequential::new().then(Flatten).then(Dense::new(10)), Seed(0))?;
    /// let mut trainer = Trainer::new(model, CrossEntropy, adam(1e-3))
    ///     .callback(Checkpoints::new(&path).every(Duration::from_secs(60)).keep(2))
    ///     .resume_or_start(&path)?;
    /// trainer.fit(&digits(200, Seed(1)), Fit::until(3))?; // three epochs in all, however often it is interrupted
    /// # assert!(path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`resume`](Self::resume) if there is a file.
    pub fn resume_or_start(self, path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        // A link to nothing is no file, and what cannot be looked at is an error of `resume`.
        let exists = path.try_exists().unwrap_or(true) || !file::numbered(path).is_empty();
        if exists { self.resume(path) } else { Ok(self) }
    }

    /// Takes the optimizer's state from the bytes of a checkpoint.
    fn read_optimizer_state(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let other_length = || TrainError::Checkpoint("the optimizer's state has another length".into());
        if self.state.part.take().is_some() {
            self.state.optimizer_state = Buffer::default();
        }
        self.make_optimizer_state()?;
        let State { optimizer_state, numbers, buckets, .. } = &mut self.state;
        let (by_slot, of_training) =
            bytes.split_at_checked(size_of_val(&**optimizer_state)).ok_or_else(other_length)?;
        let mut values = optimizer_state.clone();
        numbers::numbers(by_slot, &mut values).ok_or_else(other_length)?;
        let (of_training, of_plateau) =
            of_training.split_at_checked(size_of_val(&**numbers)).ok_or_else(other_length)?;
        numbers::numbers(of_training, numbers).ok_or_else(other_length)?;
        buckets.state_by_bucket(&values, optimizer_state);
        let mut plateau = self.plateau_numbers();
        numbers::numbers(of_plateau, &mut plateau).ok_or_else(other_length)?;
        self.restore_plateau(&plateau);
        Ok(())
    }

    /// Hands callbacks the states that a checkpoint has of them: to each the first one with its name.
    pub(super) fn restore_callbacks(&mut self) -> Result<(), TrainError> {
        let mut states = std::mem::take(&mut self.state.restored);
        if states.is_empty() {
            return Ok(());
        }
        for callback in &mut self.callbacks {
            let Some(index) = states.iter().position(|(name, _)| name == callback.name()) else { continue };
            let (name, state) = states.remove(index);
            if callback.restore(&state).is_none() {
                let message =
                    format!("the state of its callback `{name}` does not fit the one of this trainer");
                return Err(TrainError::Checkpoint(message));
            }
        }
        Ok(())
    }
}

impl EpochRecord {
    fn into_report(self) -> EpochReport {
        let Self { epoch, samples, seconds, train, validation } = self;
        EpochReport {
            epoch,
            train: train.into_scores(),
            validation: validation.map(ScoreRecord::into_scores),
            seconds,
            samples: usize::try_from(samples).unwrap_or(usize::MAX),
        }
    }
}

impl ScoreRecord {
    fn into_scores(self) -> Scores {
        let value =
            |number: Option<f64>| number.map_or(MetricValue::Undefined(NOT_KEPT), MetricValue::number);
        let metrics = self.metrics.into_iter().map(|(name, number)| (name, value(number))).collect();
        Scores { loss: self.loss, metrics }
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
