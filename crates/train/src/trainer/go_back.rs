//! Copying the weights of a training, and going back to them.

use chainrule_tensor::Real;

use super::error::TrainError;
use super::reserve::reserve;
use super::snapshot::Snapshot;
use super::{State, Trainer};

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    pub(super) fn copy_weights_to(&self, snapshot: &mut Snapshot<T>) -> Result<(), TrainError> {
        let Snapshot { parameters, state, numbers } = snapshot;
        let what = "a copy of the weights, to which the training may go back";
        reserve(parameters, self.model.parameters.len(), 1, what)?;
        parameters.copy_from_slice(&self.model.parameters);
        let State { optimizer_state, numbers: own, .. } = &self.state;
        if self.averages() {
            reserve(state, optimizer_state.len(), 1, what)?;
            state.copy_from_slice(optimizer_state);
            numbers.clone_from(own);
        }
        Ok(())
    }

    /// Goes on with the weights of a snapshot.
    pub(super) fn restore_weights(&mut self, snapshot: &Snapshot<T>) -> Result<(), TrainError> {
        let Snapshot { parameters, state, numbers } = snapshot;
        let State { optimizer_state, numbers: own, range, .. } = &mut self.state;
        let same_state =
            state.is_empty() || state.len() == optimizer_state.len() && numbers.len() == own.len();
        if parameters.len() != self.model.parameters.len() || !same_state {
            return Err(TrainError::Checkpoint(
                "a callback goes back to the weights of another model".into(),
            ));
        }
        self.model.parameters.copy_from_slice(parameters);
        if !state.is_empty() {
            optimizer_state.copy_from_slice(state);
            own.clone_from(numbers);
        }
        // What was known of the size of the weights is not known of these.
        range.forget();
        Ok(())
    }
}
