//! What is checked before a training or an evaluation begins.

use chainrule_core::SettingError;
use chainrule_losses::Scope;
use chainrule_optim::Step;
use chainrule_tensor::{Real, Shape};

use super::Trainer;
use super::error::TrainError;

/// For how many steps the rates are checked before the first. Each is checked again before it is taken; this many take some
/// milliseconds.
const CHECKED_STEPS: u64 = 1_000_000;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Checks the settings, and the shape of the samples.
    pub(super) fn check(&self, samples: Shape) -> Result<(), TrainError> {
        // A sample is a row of numbers: one of another shape with the same size would be misread.
        if samples != self.model.input() {
            return Err(TrainError::Shape { samples, model: self.model.input() });
        }
        if self.shards == Some(0) {
            return Err(TrainError::Zero("shards"));
        }
        if self.accumulate == 0 {
            return Err(TrainError::Zero("passes that a batch takes"));
        }
        if self.threads == 0 {
            return Err(TrainError::Zero("threads"));
        }
        Ok(())
    }

    /// Checks that a stateful model finds the next sample of each sequence in the same row of the next batch.
    pub(super) fn check_stateful(&self, samples: usize, shuffle: bool) -> Result<(), TrainError> {
        if self.model.plan().is_stateful() && (shuffle || !samples.is_multiple_of(self.batch_size)) {
            return Err(TrainError::Stateful { samples, batch_size: self.batch_size });
        }
        Ok(())
    }

    /// Checks that no batch of a training has a single sample where a layer then has nothing to normalise.
    pub(super) fn check_single_samples(&self, samples: usize) -> Result<(), TrainError> {
        let Some(layer) = self.model.plan().needs_several_samples() else { return Ok(()) };
        let Some(last) = samples.checked_rem(self.batch_size) else { return Ok(()) };
        // Where a batch is computed in several passes, each of them is normalised on its own.
        let has_single = |rows: usize| {
            let rows_of_pass = rows.div_ceil(self.accumulate).max(1);
            rows > 0 && (rows_of_pass == 1 || rows % rows_of_pass == 1)
        };
        if (samples >= self.batch_size && has_single(self.batch_size)) || has_single(last) {
            let batch_size = self.batch_size;
            return Err(TrainError::SingleSample { layer: layer.to_owned(), samples, batch_size });
        }
        Ok(())
    }

    /// Checks that a batch can be computed in as many passes as it takes.
    pub(super) fn check_passes(&self) -> Result<(), TrainError> {
        let stateful = self.model.plan().is_stateful();
        let conflict = if self.accumulate > 1 && stateful {
            "the model carries states from batch to batch, which the passes of `accumulate` would mix: choose a smaller batch"
        } else if self.accumulate > 1 && self.loss.scope() == Scope::Batch {
            "the loss compares the samples of a batch with each other, which the passes of `accumulate` would part: choose another loss, or no accumulation"
        } else if self.optimizer.evaluates_again() && stateful {
            "the optimizer evaluates a batch more than once, but the model carries states from batch to batch: choose another optimizer"
        } else {
            return Ok(());
        };
        Err(SettingError::Conflict { owner: "Trainer", conflict }.into())
    }

    /// Tells the schedules how long the run is, and checks the rates of its next steps.
    pub(super) fn plan_run(&mut self, epochs: u64, steps_per_epoch: u64) -> Result<(), TrainError> {
        // Steps that were left out are not in the number of steps, but they are part of their epochs.
        let begin = (self.state.step + self.state.skipped).saturating_sub(self.state.position.batches);
        let steps = begin.saturating_add(epochs.saturating_mul(steps_per_epoch));
        self.state.run.steps = Some(steps);
        self.state.run.steps_per_epoch = Some(steps_per_epoch);
        let run = self.state.run;
        let mut next = self.state.step..steps.min(self.state.step + CHECKED_STEPS);
        next.try_for_each(|index| self.optimizer.check_step(Step { index, run }))?;
        Ok(())
    }
}
