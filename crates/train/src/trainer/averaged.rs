//! Weights that are evaluated in place of the trained ones: a mean over steps, as the optimizer keeps it.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use chainrule_tensor::Real;

use super::error::TrainError;
use super::reserve::reserve;
use super::{State, Trainer};
use crate::model::model::Model;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// The model as it is evaluated: with the mean of the weights where the optimizer keeps one (as [`Ema`](chainrule_optim::Ema)
    /// does), else as it is.
    pub fn evaluated_model(&self) -> Model<T> {
        let mut model = self.model.clone();
        self.write_averaged(&mut model.parameters);
        model
    }

    /// The model, trained; where the optimizer keeps a mean of the weights, with that.
    pub fn into_model(mut self) -> Model<T> {
        let mut parameters = std::mem::take(&mut self.model.parameters);
        self.write_averaged(&mut parameters);
        self.model.parameters = parameters;
        self.model
    }

    /// Whether other weights than the trained ones are evaluated.
    pub(super) fn averages(&self) -> bool {
        // Before the first step, or the first fit, there is no mean yet.
        self.optimizer.averages() && self.state.step > 0 && self.state.has_whole_state()
    }

    /// Overwrites the trained parameters with those that are evaluated.
    fn write_averaged(&self, params: &mut [T]) {
        if !self.averages() {
            return;
        }
        let State { buckets, optimizer_state, numbers, .. } = &self.state;
        let mut state = optimizer_state.clone();
        let at = (self.state.at(), &numbers[..]);
        buckets.for_each(buckets.updated(), at, params, &mut state, |pass| self.optimizer.average(pass));
    }

    /// Runs an evaluation with the weights that are evaluated in place of the trained ones, if there are such.
    pub(super) fn with_averaged<R>(
        &mut self,
        evaluation: impl FnOnce(&mut Self) -> Result<R, TrainError>,
    ) -> Result<R, TrainError> {
        if !self.averages() {
            return evaluation(self);
        }
        let step = self.state.at();
        let State { averaged, buckets, optimizer_state, numbers, .. } = &mut self.state;
        let trained = &mut self.model.parameters;
        reserve(averaged, trained.len(), 1, "the mean of the weights, which is evaluated")?;
        averaged.copy_from_slice(trained);
        let optimizer = &*self.optimizer;
        let at = (step, &numbers[..]);
        buckets.for_each(buckets.updated(), at, averaged, optimizer_state, |pass| optimizer.average(pass));
        std::mem::swap(averaged, trained);
        // A loss or a metric may panic: the trained weights come back all the same.
        let result = catch_unwind(AssertUnwindSafe(|| evaluation(self)));
        std::mem::swap(&mut self.state.averaged, &mut self.model.parameters);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }
}
