//! The memory that a training keeps: requested so that it can be refused, and checked before it is needed.

use chainrule_data::Samples;
use chainrule_tensor::{Buffer, Real, memory_limit};

use super::error::TrainError;
use super::reserve::reserve;
use super::{State, Trainer};
use crate::engine::factors::SecondMoments;
use crate::engine::shard::Shard;

/// The bytes of activations from which it is checked, before a pass, that the system has them.
const LARGE: u64 = 1 << 26;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Allocates the optimizer's state, if there is none.
    pub(super) fn make_optimizer_state(&mut self) -> Result<(), TrainError> {
        let step = self.state.at();
        let State { optimizer_state, buckets, numbers, .. } = &mut self.state;
        let len = buckets.state_len();
        if optimizer_state.len() >= len {
            return Ok(());
        }
        reserve(optimizer_state, len, 1, "the optimizer's state")?;
        // An optimizer may read the parameters, but it does not change them before the first step.
        let what = "a copy of the parameters, from which the optimizer's state begins";
        let mut params = Buffer::default();
        reserve(&mut params, self.model.parameters.len(), 1, what)?;
        params.copy_from_slice(&self.model.parameters);
        let optimizer = &*self.optimizer;
        buckets.for_each(step, &mut params, optimizer_state, numbers, |pass| optimizer.start(pass));
        Ok(())
    }

    /// Allocates the factors of products, if the optimizer needs them, and what it computes in.
    pub(super) fn make_factors(&mut self) -> Result<(), TrainError> {
        let optimizer = &*self.optimizer;
        let State { factors, buckets, .. } = &mut self.state;
        let [len, scratch] = SecondMoments::sizes(optimizer, buckets.parameters());
        reserve(&mut factors.values, len, 1, "the second moments that the optimizer needs")?;
        reserve(&mut factors.scratch, scratch, 1, "the matrix that the optimizer inverts")?;
        factors.cut(optimizer, buckets.parameters(), self.model.plan(), &self.model.cache);
        Ok(())
    }

    /// An error if this many shards are more than the machine can hold, before it is tried.
    pub(super) fn check_memory_of(&self, shards: usize) -> Result<(), TrainError> {
        let shard = size_of::<Shard<T, Y>>() + size_of_val(self.model.parameters());
        let bytes = shard.saturating_mul(shards);
        match memory_limit() {
            Some(limit) if bytes as u64 > limit => {
                Err(TrainError::Memory { what: "the gradients of the shards", bytes })
            }
            _ => Ok(()),
        }
    }

    /// The bytes of what the layers compute from this many samples and keep.
    pub(super) fn activation_bytes(&self, rows: usize) -> u64 {
        self.model.values_per_sample().saturating_mul(rows as u64).saturating_mul(size_of::<T>() as u64)
    }

    /// An error if the activations of this many samples are more than the machine can hold, before a pass allocates them.
    ///
    /// Of samples that are read without their zeros, what is stored counts: a value and its column, and again for their gradient.
    pub(super) fn check_memory_of_activations(
        &self,
        data: &dyn Samples<T, Target = Y>,
        rows: usize,
    ) -> Result<(), TrainError> {
        let size = size_of::<T>() as u64;
        let stored = if self.reads_sparse(data) { data.stored_values(rows) } else { None };
        let bytes = match stored {
            None => self.activation_bytes(rows),
            Some(stored) => {
                let values = self.model.values_per_sample().saturating_sub(self.model.input().size() as u64);
                let stored = 4 * size.max(4) * stored as u64;
                values.saturating_mul(rows as u64).saturating_mul(size).saturating_add(stored)
            }
        };
        Self::check_activation_bytes(bytes)
    }

    /// The same for so many bytes.
    pub(super) fn check_activation_bytes(bytes: u64) -> Result<(), TrainError> {
        if bytes < LARGE {
            return Ok(());
        }
        let values = usize::try_from(bytes / size_of::<T>() as u64).ok();
        let fits = memory_limit().is_none_or(|limit| bytes <= limit);
        // The memory is promised and given back at once; nothing writes to it.
        if fits && values.and_then(Buffer::<T>::try_zeros).is_some() {
            return Ok(());
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Err(TrainError::Memory { what: "the activations of a batch", bytes })
    }
}
