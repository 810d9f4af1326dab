//! The states that layers carry from batch to batch, in checkpoints.

use chainrule_core::carried::CarriedState;
use chainrule_tensor::{Buffer, Real};

use super::error::TrainError;
use super::{State, Trainer};
use crate::engine::pass::rows_of_shard;
use crate::engine::shard::Shard;
use crate::numbers;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// What a checkpoint in the middle of an epoch holds of the states of each shard: for each layer 1 and the values, or 0 if the state
    /// is the initial one.
    pub(super) fn carried_states(&self) -> Vec<Vec<u8>> {
        if self.samples_done() == 0 || !self.model.plan().is_stateful() {
            return Vec::new();
        }
        let State { shards, carried, .. } = &self.state;
        if !carried.is_empty() {
            return carried.iter().map(|states| bytes_of(states)).collect();
        }
        let of_shard = |(index, shard): (usize, &Shard<T, Y>)| {
            let rows = rows_of_shard(self.batch_size, index, shards.len()).len();
            bytes_of(&shard.carried(self.model.layers(), self.model.parameters(), rows))
        };
        shards.iter().enumerate().map(of_shard).collect()
    }

    /// Takes the states from a checkpoint, for when the epoch goes on.
    pub(super) fn take_carried_states(&mut self, saved: Vec<Vec<u8>>) -> Result<(), TrainError> {
        self.state.carried.clear();
        if self.samples_done() == 0 || !self.model.plan().is_stateful() {
            return Ok(());
        }
        let other = || TrainError::Checkpoint("its layers carry other states from batch to batch".into());
        let shards = self.shard_count();
        if saved.len() != shards {
            return Err(other());
        }
        let model = &self.model;
        let blank =
            Shard::<T, Y>::new(model.cache(), Buffer::default(), model.input().size(), model.output().size());
        for (index, bytes) in saved.iter().enumerate() {
            let rows = rows_of_shard(self.batch_size, index, shards).len();
            Self::check_activation_bytes(self.activation_bytes(rows))?;
            // The layers begin a pass with as many values as these.
            let mut states = blank.carried(model.layers(), model.parameters(), rows);
            fill(&mut states, bytes).ok_or_else(other)?;
            self.state.carried.push(states);
        }
        Ok(())
    }

    /// Hands the states of a checkpoint to the shards, of which there are as many.
    pub(super) fn hand_out_carried_states(&mut self) {
        let State { shards, carried, .. } = &mut self.state;
        for (shard, states) in shards.iter_mut().zip(std::mem::take(carried)) {
            shard.carry(states);
        }
    }

    /// Whether every layer that carries a state hands it over: not those of a program's own that do not call
    /// [`carried::begin`](chainrule_core::carried::begin).
    pub(super) fn hands_over_states(&self) -> bool {
        let model = &self.model;
        let blank =
            Shard::<T, Y>::new(model.cache(), Buffer::default(), model.input().size(), model.output().size());
        blank.carried(model.layers(), model.parameters(), 1).len() >= model.plan().stateful_layers()
    }
}

fn bytes_of(states: &[CarriedState]) -> Vec<u8> {
    let of_layer = |state: &CarriedState| {
        let values: &[f64] = if state.resumed { &state.values } else { &[] };
        numbers::bytes(&[&[f64::from(u8::from(state.resumed))], values].concat())
    };
    states.iter().flat_map(of_layer).collect()
}

/// Replaces the values of the states by those of a checkpoint, if it has as many.
fn fill(states: &mut [CarriedState], bytes: &[u8]) -> Option<()> {
    let mut numbers = vec![0.0f64; bytes.len() / size_of::<f64>()];
    numbers::numbers(bytes, &mut numbers)?;
    let mut rest = &numbers[..];
    for CarriedState { resumed, values } in states {
        let (first, others) = rest.split_first()?;
        *resumed = *first == 1.0;
        rest = others;
        if *resumed {
            let (own, others) = rest.split_at_checked(values.len())?;
            values.copy_from_slice(own);
            rest = others;
        }
    }
    rest.is_empty().then_some(())
}
