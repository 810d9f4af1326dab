//! The step and the checkpoint of a process that has the optimizer's state of its part of the parameters alone.

use std::sync::Arc;

use chainrule_tensor::vector::larger_or_nan;
use chainrule_tensor::{Buffer, Real, vector};

use super::error::TrainError;
use super::reserve::reserve;
use super::{State, Trainer};
use crate::engine::buckets::{Bucket, Buckets, runs};
use crate::engine::careful::{Finding, Watch, Watched};
use crate::engine::divided::{Changed, DividedSum};
use crate::engine::gathered::{Gathered, PassOfAll, columns, stages};
use crate::engine::group_sum::{Addends, GroupSum};
use crate::engine::members::{Kind, Members};
use crate::engine::parts::{Part, Parts};
use crate::engine::reduce::Order;
use crate::engine::several_passes::Shares;
use crate::engine::update::Common;
use crate::group::GroupError;
use crate::numbers;

/// Shared memory is cut at multiples of so many bytes.
const CACHE_LINES: usize = 64;

/// The last pass of a batch, whose sums are completed with the update.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastPass {
    /// The number of its rows, those of other processes included.
    pub(super) rows: usize,
    pub(super) shares: Shares,
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Sums the gradients of a pass; with the last one, the optimizer takes its step, in each process for its part.
    ///
    /// If a number would not be finite, all is as it was before, and the first finding of all processes is returned. If another process fails
    /// in the middle of a step that was certain, the parameters of some parts are new and those of others are not.
    pub(super) fn step_of_parts(
        &mut self,
        members: &Members,
        LastPass { rows, shares }: LastPass,
        threads: usize,
    ) -> Result<Option<Finding>, TrainError> {
        let is_certain = self.part_is_within_range(members)?;
        if !is_certain {
            self.copy_part()?;
            // Others may update parameters where this process reads them: see `share_memory`.
            members.all_gather(Kind::Findings, &[], &mut |_, _| Some(()))?;
        }
        let step = self.state.at();
        let watch = (!is_certain).then(Watch::default);
        self.optimizer.advance(step, &mut self.state.numbers);
        let summed = self.sum_parts(members, LastPass { rows, shares }, threads, true, watch.as_ref());
        let Some(watch) = watch else { return summed.map(|()| None) };
        let found = summed.and_then(|()| Ok(first_of_all(members, watch.found())?));
        if !matches!(found, Ok(None)) {
            self.undo_part();
        }
        found
    }

    /// Makes everything as it was when it was copied.
    fn undo_part(&mut self) {
        let State { copies, optimizer_state, numbers, .. } = &mut self.state;
        let len = optimizer_state.len();
        self.model.parameters.copy_from_slice(&copies.params);
        optimizer_state.copy_from_slice(&copies.state[..len]);
        numbers.clone_from(&copies.numbers);
    }

    /// Sums the gradients of a pass, to the process that has the part; `updates` in the last one.
    pub(super) fn sum_parts(
        &mut self,
        members: &Members,
        LastPass { rows, shares }: LastPass,
        threads: usize,
        updates: bool,
        watch: Option<&Watch>,
    ) -> Result<(), TrainError> {
        let (step, order) = (self.state.at(), self.order());
        let State { operands, shards, split_k, has_sparse_samples, of_group, .. } = &mut self.state;
        let largest_grad = of_group.largest_grads.iter().sum();
        let pass = PassOfAll { rows, has_sparse_samples: *has_sparse_samples, largest_grad };
        operands.exchange(members, shards, split_k.as_ref(), pass)?;
        let optimizer = &*self.optimizer;
        let State {
            shards,
            split_k,
            optimizer_state,
            part,
            parts,
            numbers,
            total,
            scratch,
            buckets,
            group_sum,
            operands,
            ..
        } = &mut self.state;
        let (Some(parts), Some(part)) = (parts, part) else { return Ok(()) };
        let (buckets, slots) = (&*buckets, optimizer.slots());
        let common = &Common { step, optimizer, slots, parameters: buckets.parameters(), numbers, watch };
        let split_k = split_k.as_ref();
        let addends = Addends { members, shards, split_k, buckets, common, rows, shares, order, threads };
        let params = &mut *self.model.parameters;
        let changed = updates.then_some(Changed { params, state: optimizer_state, part });
        let GroupSum { pass, .. } = group_sum;
        Ok(DividedSum { addends, parts, gathered: operands }.run(total, pass, changed, scratch)?)
    }

    /// As `is_within_range`, where each process knows the size of its part of the optimizer's state.
    fn part_is_within_range(&mut self, members: &Members) -> Result<bool, GroupError> {
        let step = self.state.at();
        let State { optimizer_state, buckets, range, largest_grad, parts, .. } = &mut self.state;
        let own = parts.as_ref().map_or(&[][..], |parts| parts.of(members.rank(), buckets));
        let mut told = Ok(());
        let is_within = range.admits(&*self.optimizer, step, *largest_grad, |params, state| {
            *params = vector::largest(&self.model.parameters).as_f64();
            let mut of_part = vec![0.0; state.len()];
            buckets.largest_by_slot(own, optimizer_state, &mut of_part);
            state.fill(0.0);
            told = members.all_gather_numbers(Kind::Findings, &of_part, &mut |_, of_part| {
                let of_part = (of_part.len() == state.len()).then_some(of_part)?;
                state.iter_mut().zip(of_part).for_each(|(all, &own)| *all = larger_or_nan(*all, own));
                Some(())
            });
        });
        told.map(|()| is_within)
    }

    /// Copies what a step that may have to be undone changes.
    fn copy_part(&mut self) -> Result<(), TrainError> {
        let what =
            "copies of the parameters and of the optimizer's state, for a step that may have to be undone";
        let State { copies, optimizer_state, numbers, range, .. } = &mut self.state;
        reserve(&mut copies.params, self.model.parameters.len(), 2, what)?;
        reserve(&mut copies.state, optimizer_state.len(), 1, what)?;
        copies.params.copy_from_slice(&self.model.parameters);
        // Those of the whole state, from a training in one process, may be longer.
        copies.state[..optimizer_state.len()].copy_from_slice(optimizer_state);
        copies.numbers.clone_from(numbers);
        range.forget();
        Ok(())
    }

    /// Moves the parameters to memory that processes of one machine share, where each has a part, for as long as they train: what one of them
    /// updates is not copied by the others. There is also memory for the operands of products.
    ///
    /// A process updates parameters after all have told their losses, which they do after the forward pass, and after those with rows have sent it
    /// the operands, or their sums, of a pass that has read them; and it goes on with what others have updated after it has received that. It
    /// writes its operands after all have told their losses, which they do after they have read those of the pass before. Where one saves,
    /// all wait for it ([`wait_for_saving`](Self::wait_for_saving)).
    pub(super) fn share_memory(&mut self) -> Result<(), TrainError> {
        let Some(members) = self.with_parts() else { return Ok(()) };
        let operands = (0..members.size()).map(|rank| self.bytes_of_operands(&members, rank));
        let of_params = size_of_val(self.model.parameters());
        // Each begins on a cache line of its own.
        let bytes: usize = operands.chain([of_params]).map(|bytes| bytes.next_multiple_of(CACHE_LINES)).sum();
        let Some(memory) = members.share(bytes)? else { return Ok(()) };
        let (params, rest) = memory.split_at(of_params);
        let mut params = Buffer::in_shared(params, self.model.parameters.len());
        // All write the same to it.
        params.copy_from_slice(&self.model.parameters);
        self.state.unshared = std::mem::replace(&mut self.model.parameters, params);
        self.state.shared_memory = Some(rest);
        Ok(())
    }

    /// Moves the parameters back to memory of this process.
    pub(super) fn unshare_memory(&mut self) {
        let State { unshared, shared_memory, operands, .. } = &mut self.state;
        *shared_memory = None;
        if unshared.len() < self.model.parameters.len() {
            return;
        }
        *operands = Gathered::of_stages(Vec::new(), 0, 0);
        unshared.copy_from_slice(&self.model.parameters);
        self.model.parameters = std::mem::take(unshared);
    }

    /// The stages with products of which members tell each other the operands.
    fn stages_told(&self) -> Vec<(usize, [usize; 2])> {
        let State { parts, buckets, .. } = &self.state;
        match self.order() {
            // The shards have computed them.
            Order::InShards => Vec::new(),
            _ => stages_of_parts(parts.as_ref(), buckets, self.rows_of_pass()),
        }
    }

    /// The most bytes that the operands of the shards of a process are.
    fn bytes_of_operands(&self, members: &Members, rank: usize) -> usize {
        let rows = self.rows_of_pass();
        let columns = columns(&self.stages_told());
        // The shards of a batch have as many rows as this, or one fewer.
        let most = rows.div_ceil(self.shard_count().max(1)) * members.shards_of(rank).len();
        most.saturating_mul(columns).saturating_mul(size_of::<T>())
    }

    /// Chooses the products of which members tell each other the operands, and allocates these.
    pub(super) fn make_operands(&mut self, shards: usize) -> Result<(), TrainError> {
        let members = self.state.members.clone();
        let size = members.as_ref().map_or(0, |members| members.size());
        let bytes: Vec<usize> = match &members {
            Some(members) => (0..size).map(|rank| self.bytes_of_operands(members, rank)).collect(),
            None => Vec::new(),
        };
        let stages = self.stages_told();
        let State { operands, buckets, shared_memory, .. } = &mut self.state;
        *operands = Gathered::of_stages(stages, shards, buckets.run_len());
        let mut shared = shared_memory.take();
        for (member, bytes) in bytes.into_iter().enumerate() {
            let len = bytes / size_of::<T>();
            let memory = operands.memory(member);
            // What was shared may be for a batch that was cut otherwise: then it is not used.
            match shared.take().filter(|all| all.len() >= bytes) {
                None => reserve(memory, len, size, "the operands of products")?,
                Some(all) => {
                    let (of_member, rest) = all.split_at(bytes);
                    *memory = Buffer::in_shared(of_member, len);
                    shared = Some(rest);
                }
            }
        }
        Ok(())
    }

    /// Gives the processes that are about to save the optimizer's state of all, part after part, so that no more than one is on its way.
    pub(super) fn gather_state(&mut self, asking: &[usize]) -> Result<(), TrainError> {
        let State { members, parts, optimizer_state, buckets, gathered, .. } = &mut self.state;
        let (Some(members), Some(parts)) = (members, parts) else { return Ok(()) };
        let wrong = |rank| GroupError::Transport { rank, message: "its part has another length".into() };
        let place =
            |run: &[Bucket], bytes: &[u8], all: &mut [u8]| buckets.bytes_by_slot::<T>(run, bytes, all);
        for &to in asking {
            if to == members.rank() {
                let bytes = buckets.state_len() * size_of::<T>();
                let mut all = Vec::new();
                let what = "the optimizer's state of all processes";
                all.try_reserve_exact(bytes).map_err(|_| TrainError::Memory { what, bytes })?;
                all.resize(bytes, 0);
                for rank in 0..members.size() {
                    let of_rank = parts.of(rank, buckets);
                    if rank == to {
                        let own = numbers::bytes(optimizer_state);
                        place(of_rank, &own, &mut all).ok_or_else(|| wrong(rank))?;
                        continue;
                    }
                    members.send(&[rank], Kind::State, |_| ())?;
                    for run in runs(of_rank, buckets.run_len()) {
                        members.receive(rank, Kind::State, |bytes| place(run, bytes, &mut all))?;
                    }
                }
                *gathered = Some(all);
                continue;
            }
            members.receive(to, Kind::State, |_| Some(()))?;
            let own = parts.of(members.rank(), buckets);
            let mut rest = &optimizer_state[..];
            for run in runs(own, buckets.run_len()) {
                let len = Part::of(run, self.optimizer.slots()).state.len();
                let (state, after) = rest.split_at(len);
                members.send_numbers(&[to], Kind::State, state)?;
                rest = after;
            }
        }
        Ok(())
    }

    /// The bytes of the optimizer's state that each of so many processes keeps, if they share this training: see [`group`](Self::group).
    ///
    /// Where each keeps that of its part of the parameters alone, they are those of about 1 / `processes` of the parameters. All of them keep the
    /// whole of it where the parameters are fewer than 131,072; for an optimizer that needs all gradients at once, as clipping by the
    /// global norm and those that work on whole matrices do, or whose state is evaluated in place of the parameters; and where gradients of
    /// tables are lists.
    pub fn optimizer_bytes(&self, processes: usize) -> Vec<u64> {
        let State { buckets, numbers, .. } = &self.state;
        let parts = Parts::new(buckets, &*self.optimizer, processes);
        let of = |rank| {
            let whole = buckets.state_len();
            let part = |parts: &Parts| Part::of(parts.of(rank, buckets), self.optimizer.slots()).state.len();
            let values = parts.as_ref().map_or(whole, part);
            values as u64 * size_of::<T>() as u64 + size_of_val(&numbers[..]) as u64
        };
        (0..processes).map(of).collect()
    }

    /// The members of the group, if each has a part of the optimizer's state.
    pub(super) fn with_parts(&self) -> Option<Arc<Members>> {
        self.state.parts.as_ref().and(self.state.members.clone())
    }
}

/// The stages with products of which members tell each other the operands, in passes of up to so many rows: where each of them has a part, so that
/// they share the work.
pub(super) fn stages_of_parts(
    parts: Option<&Parts>,
    buckets: &Buckets,
    rows: usize,
) -> Vec<(usize, [usize; 2])> {
    match parts {
        Some(parts) if parts.of_all() => stages(buckets, rows),
        _ => Vec::new(),
    }
}

/// The first of what the members have found.
fn first_of_all(members: &Members, own: Option<Finding>) -> Result<Option<Finding>, GroupError> {
    let own: Vec<f64> = own.map_or_else(Vec::new, |Finding { watched, index, value }| {
        vec![watched as u8 as f64, index as f64, value]
    });
    let mut first: Option<Finding> = None;
    members.all_gather_numbers(Kind::Findings, &own, &mut |_, numbers| {
        let &[watched, index, value] = numbers else { return numbers.is_empty().then_some(()) };
        let watched = Watched::ALL.into_iter().find(|known| *known as u8 as f64 == watched)?;
        let finding = Finding { watched, index: index as usize, value };
        if first.is_none_or(|other| finding.index < other.index) {
            first = Some(finding);
        }
        Some(())
    })?;
    Ok(first)
}
