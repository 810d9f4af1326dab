//! The memory that a training keeps: requested so that it can be refused, and checked before it is needed.

use chainrule_data::Samples;
use chainrule_tensor::{Buffer, Real, memory_limit};

use super::error::TrainError;
use super::reserve::reserve;
use super::{State, Trainer};
use crate::engine::factors::SecondMoments;
use crate::engine::parts::{Part, Parts};
use crate::engine::shard::Shard;
use crate::group::GroupError;

/// The bytes of activations from which it is checked, before a pass, that the system has them.
const LARGE: u64 = 1 << 26;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Allocates the optimizer's state of this process, if there is none: that of its part of the parameters, where members of a group have
    /// parts, and else the whole.
    pub(super) fn make_optimizer_state(&mut self) -> Result<(), TrainError> {
        let slots = self.optimizer.slots();
        let State { buckets, members, .. } = &self.state;
        let parts = members.as_ref().and_then(|members| {
            let parts = Parts::new(buckets, &*self.optimizer, members.size())?;
            Some((Part::of(parts.of(members.rank(), buckets), slots), parts))
        });
        let (part, parts) = parts.unzip();
        let is_made = match (&part, &self.state.part) {
            (None, None) => self.state.has_whole_state(),
            (new, before) => new == before,
        };
        self.state.parts = parts;
        if is_made {
            return Ok(());
        }
        let what = "the optimizer's state";
        let is_whole = self.state.has_whole_state();
        let State { optimizer_state, part: before, .. } = &mut self.state;
        match part {
            // The others have the rest.
            _ if before.is_some() => {
                let what = "another division of the optimizer's state after a training";
                let instead = "resume from a checkpoint";
                Err(GroupError::Unsupported { what, instead }.into())
            }
            Some(part) if is_whole => {
                let mut own = Buffer::default();
                reserve(&mut own, part.state.len(), 1, what)?;
                own.copy_from_slice(&optimizer_state[part.state.clone()]);
                *optimizer_state = own;
                *before = Some(part);
                Ok(())
            }
            part => {
                let len = part.as_ref().map_or(self.state.buckets.state_len(), |part| part.state.len());
                reserve(&mut self.state.optimizer_state, len, 1, what)?;
                self.state.part = part;
                self.start_optimizer_state()
            }
        }
    }

    /// Writes the optimizer's state with which a training begins.
    fn start_optimizer_state(&mut self) -> Result<(), TrainError> {
        // An optimizer may read the parameters, but it does not change them before the first step.
        let what = "a copy of the parameters, from which the optimizer's state begins";
        let mut params = Buffer::default();
        reserve(&mut params, self.model.parameters.len(), 1, what)?;
        params.copy_from_slice(&self.model.parameters);
        let optimizer = &*self.optimizer;
        let step = self.state.at();
        let State { optimizer_state, buckets, numbers, parts, members, .. } = &mut self.state;
        let own = match (parts, members) {
            (Some(parts), Some(members)) => parts.of(members.rank(), buckets),
            _ => buckets.updated(),
        };
        let at = (step, &numbers[..]);
        buckets.for_each(own, at, &mut params, optimizer_state, |pass| optimizer.start(pass));
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
