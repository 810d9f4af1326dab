//! How long a training will take, before it begins.

use std::time::{Duration, Instant};

use chainrule_data::{Batches, Samples};
use chainrule_tensor::Real;

use super::error::TrainError;
use super::{State, Trainer};
use crate::engine::pass::Batch;
use crate::model::TrainingBytes;

/// The number of steps that are not measured, in which memory is allocated and caches are filled.
const FIRST: usize = 3;

/// The most steps that are measured.
const MOST: usize = 50;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// How long a step of the training takes: the median of some, up to 50, for which there is `time`, and of one at least. They leave
    /// no trace: afterwards the trainer is as it was before, and no callback is told.
    ///
    /// # Errors
    ///
    /// [`TrainError`] as [`fit`](Self::fit).
    pub fn measure_step(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        time: Duration,
    ) -> Result<Duration, TrainError> {
        (self.work.measure_step)(self, data, time)
    }

    pub(super) fn measure_alone(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        time: Duration,
    ) -> Result<Duration, TrainError> {
        self.refuse_group("the measurement of steps")?;
        let mut batches = self.check_training(data)?;
        self.make_optimizer_state()?;
        batches.epoch(self.state.epoch);
        let run = self.state.run;
        let steps = batches.count() as u64;
        self.plan_run(1, steps)?;
        let before = self.checkpointed();
        let measured = self.aside(|this| {
            this.in_pool(this.rows_of_pass().min(data.len()), |this| {
                this.reset_states();
                this.time_steps(data, &batches, time)
            })
        });
        let State { optimizer_state, numbers, step, range, .. } = &mut self.state;
        self.model.parameters.copy_from_slice(&before.parameters);
        optimizer_state.copy_from_slice(&before.state);
        numbers.clone_from(&before.numbers);
        *step = before.step;
        range.forget();
        self.state.run = run;
        if self.samples_done() == 0 {
            self.reset_states();
        }
        measured
    }

    /// The memory that the training takes: see [`Model::training_bytes`](crate::Model::training_bytes).
    pub fn training_bytes(&self) -> TrainingBytes {
        self.model.training_bytes(self.rows_of_pass(), self.shard_count(), &*self.optimizer)
    }

    /// What steps change.
    fn checkpointed(&self) -> Before<T> {
        let State { optimizer_state, numbers, step, .. } = &self.state;
        Before {
            parameters: self.model.parameters.to_vec(),
            state: optimizer_state.to_vec(),
            numbers: numbers.clone(),
            step: *step,
        }
    }

    fn time_steps(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batches: &Batches,
        time: Duration,
    ) -> Result<Duration, TrainError> {
        data.announce(batches.order(0), self.batch_size);
        let begin = Instant::now();
        let mut times = Vec::new();
        // The last batch may be smaller.
        let whole = batches.iter().take((batches.count() - 1).max(1));
        for (index, samples) in whole.cycle().take(FIRST + MOST).enumerate() {
            if index > FIRST && begin.elapsed() >= time {
                break;
            }
            let step = Instant::now();
            self.step(data, Batch { index, samples, next: &[] })?;
            times.push(step.elapsed());
        }
        let measured = &mut times[FIRST..];
        measured.sort_unstable();
        Ok(measured[measured.len() / 2])
    }
}

/// The numbers of a training before some steps.
struct Before<T> {
    parameters: Vec<T>,
    state: Vec<T>,
    numbers: Vec<f64>,
    step: u64,
}
