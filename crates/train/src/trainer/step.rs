//! One step: the shards' forward and backward passes, then the sum of their gradients and the update. The
//! [engine](crate::engine) has a picture of it.

use std::ops::ControlFlow;

use chainrule_core::Mode;
use chainrule_data::Samples;
use chainrule_tensor::{Real, Seed, vector};

use super::divided::LastPass;
use super::error::TrainError;
use super::forward::{Forward, Passes};
use super::shard_count::WORTH_A_FORK;
use super::update::{OfPass, Sum, Work};
use super::{State, Trainer};
use crate::engine::buckets;
use crate::engine::exchange::Exchanges;
use crate::engine::factors::RowsOfPass;
use crate::engine::pass::Batch;
use crate::engine::prefetch::NextSamples;
use crate::engine::reduce::Order;
use crate::engine::several_passes::SeveralPasses;
use crate::engine::whole_batch::BatchLoss;

/// Samples of so few values stay in the second cache. To prefetch them takes a twentieth of the shortest steps.
const CACHED: usize = 1 << 18;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Trains on a batch; returns its loss before the update, or nothing if a callback of another process or this one has stopped the training
    /// before the step.
    ///
    /// A step that is not taken changes nothing, unless another process has failed in its middle, and except that the states that layers carry from batch to batch, which the forward
    /// pass has moved on, begin again from zeros.
    pub(super) fn step(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
    ) -> Result<Option<BatchLoss>, TrainError> {
        let loss = self.try_step(data, batch);
        if loss.is_err() {
            self.reset_states();
        }
        loss
    }

    fn try_step(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
    ) -> Result<Option<BatchLoss>, TrainError> {
        let small = self.step_flops(batch.samples.len().div_ceil(self.accumulate)) < WORTH_A_FORK;
        let threads = if small { 1 } else { self.state.threads };
        let Some((loss, last)) = self.passes(data, batch, threads)? else { return Ok(None) };
        if let (Some(members), Some(last)) = (self.with_parts(), last) {
            if let Some(finding) = self.step_of_parts(&members, last, threads)? {
                return Err(self.refusal(data, batch, finding));
            }
            self.state.step += 1;
            return Ok(Some(loss));
        }
        let prefetch = |sample: u32, columns| data.prefetch(sample as usize, columns);
        // Most of them belong to other processes, if there are any.
        let is_cached = data.len().saturating_mul(self.model.input().size()) <= CACHED;
        let samples = if is_cached || self.state.members.is_some() { &[] } else { batch.next };
        let next = NextSamples { prefetch: &prefetch, samples, columns: (0, self.model.input().size()) };
        let work = Work { next, threads, loss: loss.objective };
        if self.is_within_range() {
            self.update(data, batch, work, None);
        } else if let Some(finding) = self.update_carefully(data, batch, work)? {
            return Err(self.refusal(data, batch, finding));
        }
        self.state.step += 1;
        Ok(Some(loss))
    }

    /// Whether all gradients are summed before the update begins, and not bucket by bucket with it.
    pub(super) fn sums_first(&self) -> bool {
        self.accumulate > 1 || self.optimizer.needs_all_gradients() || self.state.members.is_some()
    }

    /// In which order the products of the shards are added up.
    pub(super) fn order(&self) -> Order {
        let is_read_again = self.state.split_k.is_none() && !self.state.has_sparse_samples;
        if is_read_again && self.are_in_shards(self.state.rows, self.state.shards.len()) {
            Order::InShards
        } else if self.is_distributable() {
            Order::ByShard
        } else {
            Order::Joined
        }
    }

    /// Whether shards of so many rows in all compute the products of their gradients: to read the samples again later takes longer than to write
    /// a gradient for each shard, once a shard has many.
    pub(super) fn are_in_shards(&self, rows: usize, shards: usize) -> bool {
        let samples = (rows / shards.max(1)).saturating_mul(self.model.input().size());
        samples >= 2 * self.model.parameters().len()
    }

    /// Whether samples are read without their zeros: where they are stored so, the network begins with a product, which is deferred, and no
    /// optimizer needs its factors.
    pub(super) fn reads_sparse(&self, data: &dyn Samples<T, Target = Y>) -> bool {
        let Self { model, optimizer, .. } = self;
        let begins_with_product = model.cache.lead().is_some() && buckets::defers(model.plan());
        data.stored_values(0).is_some() && begins_with_product && !optimizer.needs_factors()
    }

    /// Whether gradients that are products are left to the reduction.
    pub(super) fn defers(&self) -> bool {
        buckets::defers(self.model.plan()) && self.order() != Order::InShards
    }

    /// The passes of a batch: one, or as many as its gradient is accumulated in. Where all gradients are summed before the update,
    /// that is done; where it is done in parts, for all passes but the last one, which is returned too. Nothing if the training is stopped
    /// before the step.
    fn passes(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        threads: usize,
    ) -> Result<Option<(BatchLoss, Option<LastPass>)>, TrainError> {
        // Shards that wait for each other have a thread each.
        let threads_of_pass = self.state.exchanges.as_ref().map_or(threads, Exchanges::len);
        let mut passes = SeveralPasses::new(self.loss.reduction());
        let with_parts = self.with_parts();
        let mut last = None;
        for (first_row, part) in batch.parts(self.accumulate) {
            if first_row > 0 {
                let State { tallies, shards, threads, .. } = &mut self.state;
                tallies.count(shards, *threads);
            }
            let mode = self.mode_of_step(first_row);
            let mut loss = self.forward(data, part, mode, threads_of_pass)?;
            match self.do_as_told()? {
                ControlFlow::Break(()) => return Ok(None),
                ControlFlow::Continue(true) => loss = self.forward(data, part, mode, threads_of_pass)?,
                ControlFlow::Continue(false) => {}
            }
            self.check_loss(data, part, loss.objective)?;
            let largest_grad = match self.state.members {
                None => self.state.shards.iter().map(|shard| shard.largest_grad).sum(),
                Some(_) => self.state.of_group.largest_grads.iter().sum(),
            };
            let shares = passes.add(loss, part.samples.len(), largest_grad);
            if let Some(members) = &with_parts {
                let rows = part.samples.len();
                let of_pass = LastPass { rows, shares };
                last = Some(of_pass);
                if first_row + rows < batch.samples.len() {
                    self.sum_parts(members, of_pass, threads, false, None)?;
                }
            } else if self.sums_first() {
                let order = self.order();
                let State { shards, split_k, used, total, scratch, buckets, members, group_sum, .. } =
                    &mut self.state;
                let sum = Sum { optimizer: &*self.optimizer, buckets, threads, order };
                match members {
                    None => sum.run(total, shards, (split_k.as_ref(), used), scratch, shares),
                    Some(members) => {
                        let (split_k, rows) = (split_k.as_ref(), part.samples.len());
                        let of_pass = OfPass { shards, split_k, rows, shares };
                        sum.run_in_group(members, total, of_pass, group_sum, scratch)?;
                    }
                }
            }
            let State { shards, factors, .. } = &mut self.state;
            if factors.are_needed() {
                let of_batch = batch.samples.len();
                let rows = RowsOfPass { shards, shares, of_batch, reduction: self.loss.reduction() };
                factors.add(rows, threads);
            }
        }
        self.state.largest_grad = passes.largest_grad();
        let loss = passes.loss();
        if self.accumulate > 1 {
            self.check_loss(data, batch, loss.objective)?;
        }
        Ok(Some((loss, last)))
    }

    /// The mode of the passes in the next step, for the samples of its batch from `first_row` on.
    pub(super) fn mode_of_step(&self, first_row: usize) -> Mode {
        Mode::Train { seed: self.seed_of_step(), first_row }
    }

    /// The seed of the random layers in the next step.
    pub(super) fn seed_of_step(&self) -> Seed {
        self.seed.child(1).child(self.state.step)
    }

    /// Whether it is certain that this step leaves all parameters and the optimizer's state finite.
    fn is_within_range(&mut self) -> bool {
        if self.optimizer.evaluates_again() {
            // The bounds are those of the gradients at one point only.
            return false;
        }
        let step = self.state.at();
        let State { optimizer_state, buckets, range, largest_grad, .. } = &mut self.state;
        range.admits(&*self.optimizer, step, *largest_grad, |params, state| {
            *params = vector::largest(&self.model.parameters).as_f64();
            buckets.largest_by_slot(buckets.updated(), optimizer_state, state);
        })
    }

    /// Runs the shards of a batch; returns its loss.
    pub(super) fn forward(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        mode: Mode,
        threads: usize,
    ) -> Result<BatchLoss, TrainError> {
        self.state.has_sparse_samples = self.reads_sparse(data);
        let deferred = self.defers();
        let sparse_samples = self.state.has_sparse_samples;
        let finite = match mode {
            Mode::Train { .. } => self.state.range.has_finite_params(),
            Mode::Eval => self.state.is_finite_in_evaluation,
        };
        let State { shards, split_k, buckets, exchanges, whole_batch, members, of_group, .. } =
            &mut self.state;
        let forward = Forward {
            layers: &self.model.layers,
            loss: &*self.loss,
            metrics: &self.metrics,
            columns: self.model.output.size(),
            deferred,
            sparse: buckets.sparse(),
            sparse_samples,
            finite,
            data,
            batch,
            mode,
            threads,
            members: members.as_deref(),
        };
        let passes =
            Passes { shards, split_k, buckets, exchanges: exchanges.as_ref(), whole_batch, of_group };
        forward.run(&self.model.parameters, passes)
    }
}
