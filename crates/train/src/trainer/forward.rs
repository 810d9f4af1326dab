//! The passes of a batch: the shards' forward and backward passes, and its loss.

use std::ops::Range;

use chainrule_core::{Layer, Mode, Sequential, batch_group};
use chainrule_data::Samples;
use chainrule_losses::{Loss, Reduction, Scope, total};
use chainrule_metrics::Measure;
use chainrule_tensor::Real;

use super::error::TrainError;
use super::targets::{check_outputs, check_targets};
use super::wishes::Wishes;
use crate::engine::buckets::Buckets;
use crate::engine::exchange::Exchanges;
use crate::engine::members::{Kind, Members};
use crate::engine::pass::{Batch, Pass, rows_of_shard};
use crate::engine::pool::each_pair;
use crate::engine::shard::Shard;
use crate::engine::split_k::{OfShard, SplitK};
use crate::engine::whole_batch::{BatchLoss, Losses, WholeBatch};

/// What the passes of a batch read, whichever parameters they run with.
pub(super) struct Forward<'a, T: Real, Y> {
    pub(super) layers: &'a Sequential<T>,
    pub(super) loss: &'a dyn Loss<T, Y>,
    pub(super) metrics: &'a [Box<dyn Measure<T, Y>>],
    /// The number of the model's outputs.
    pub(super) columns: usize,
    pub(super) deferred: bool,
    pub(super) sparse: bool,
    /// Whether samples are read without their zeros.
    pub(super) sparse_samples: bool,
    /// Whether all parameters are known to be finite.
    pub(super) finite: bool,
    pub(super) data: &'a (dyn Samples<T, Target = Y> + 'a),
    pub(super) batch: Batch<'a>,
    pub(super) mode: Mode,
    pub(super) threads: usize,
    /// Those who share the shards, if several processes do.
    pub(super) members: Option<&'a Members>,
}

/// The memory in which the passes of a batch run.
pub(super) struct Passes<'a, T: Real, Y> {
    pub(super) shards: &'a mut [Shard<T, Y>],
    pub(super) split_k: &'a mut Option<SplitK<T>>,
    pub(super) buckets: &'a Buckets,
    pub(super) exchanges: Option<&'a Exchanges>,
    pub(super) whole_batch: &'a mut WholeBatch<T, Y>,
    pub(super) of_group: &'a mut OfGroup,
}

/// What the members of a group tell each other of a pass, for all rows and shards. Empty without a group.
#[derive(Debug, Default)]
pub(super) struct OfGroup {
    /// The loss of each row, times its weight.
    pub(super) losses: Vec<f64>,
    /// The largest gradient of each shard.
    pub(super) largest_grads: Vec<f64>,
    /// What callbacks of this member have asked for where the step began, until it is told.
    pub(super) own_wishes: Wishes,
    /// The same of each member, as it was told.
    pub(super) wishes: Vec<Wishes>,
}

impl OfGroup {
    /// Tells the others what the callbacks of this process ask for, the largest gradients of its shards and the losses of its rows, and notes
    /// those of all.
    fn gather(
        &mut self,
        members: &Members,
        largest: impl Iterator<Item = f64>,
        of_rows: impl Iterator<Item = f64>,
    ) -> Result<(), TrainError> {
        let Self { losses, largest_grads, own_wishes, wishes } = self;
        losses.clear();
        largest_grads.clear();
        wishes.clear();
        let asked = f64::from(std::mem::take(own_wishes).number());
        let told: Vec<f64> = [asked].into_iter().chain(largest).chain(of_rows).collect();
        members.all_gather_numbers(Kind::Losses, &told, &mut |rank, numbers| {
            let (&asked, numbers) = numbers.split_first()?;
            wishes.push(Wishes::of(asked as u8)?);
            let (of_shards, of_rows) = numbers.split_at_checked(members.shards_of(rank).len())?;
            largest_grads.extend_from_slice(of_shards);
            losses.extend_from_slice(of_rows);
            Some(())
        })?;
        Ok(())
    }
}

impl<T: Real, Y: Clone + Send + Sync> Forward<'_, T, Y> {
    /// Runs the shards of the batch with these parameters; returns its loss.
    pub(super) fn run(&self, params: &[T], passes: Passes<'_, T, Y>) -> Result<BatchLoss, TrainError> {
        let &Self { batch, mode, columns, threads, .. } = self;
        let Passes { shards, split_k, buckets, exchanges, whole_batch, of_group } = passes;
        let exchanges = if mode == Mode::Eval { None } else { exchanges };
        if let Some(exchanges) = exchanges {
            exchanges.begin(batch.samples.len());
        }
        let sparse_samples = self.sparse_samples;
        let pass = self.pass(params, buckets);
        let count = shards.len();
        let rows_of_batch = batch.samples.len();
        let rows = |shard| rows_of_shard(rows_of_batch, shard, count);
        // The other shards stay empty.
        let own = self.members.map_or(0..count, Members::own);
        let scope = pass.loss.scope();
        let reduction = pass.loss.reduction();
        // J = 1/m Σ L, over the m rows of the whole batch.
        let mut weight = rows_of_batch as f64;
        let scale = reduction.factor(rows_of_batch, weight);

        let mut split_k = if mode == Mode::Eval || sparse_samples { None } else { split_k.as_mut() };
        if let Some(split_k) = &mut split_k {
            split_k.begin(own.clone().map(rows));
            let SplitK { blocks, units, parts, .. } = &mut **split_k;
            let (units, parts) = (*units, &*parts);
            each_pair(blocks, shards, threads, &|index, block, shard| {
                block.run(&pass, parts, OfShard { rows: rows(index), targets: &mut shard.targets }, units);
                Ok::<(), TrainError>(())
            })?;
        }
        let split_k = split_k.as_deref();
        each_pair(&mut shards[own.clone()], &mut vec![(); own.len()], threads, &|index, shard, ()| {
            let index = own.start + index;
            let rows = rows(index);
            let turn = if rows.is_empty() { None } else { exchanges.map(|exchanges| exchanges.join(index)) };
            self.take_samples(&pass, shard, rows.clone(), split_k)?;
            {
                let _membership = turn.as_ref().map(|turn| batch_group::enter(turn.member()));
                match scope {
                    Scope::Row => shard.run(&pass, rows, scale),
                    Scope::WeightedRow | Scope::Batch => {
                        shard.forward(&pass, rows);
                        if scope == Scope::WeightedRow {
                            shard.weigh(&pass);
                        }
                    }
                }
            }
            if let Some(turn) = turn {
                turn.end();
            }
            if mode != Mode::Eval && scope == Scope::Row {
                shard.bound_gradients(&pass, split_k.map(SplitK::largest));
            }
            Ok::<(), TrainError>(())
        })?;

        if let Some(error) = exchanges.and_then(Exchanges::take_error) {
            return Err(error.into());
        }
        if scope != Scope::Row && !exchanges.is_some_and(Exchanges::is_broken) {
            let over_batch = scope == Scope::Batch;
            let used = || shards.iter().filter(|shard| !shard.is_empty());
            weight = if over_batch {
                whole_batch.gather(&pass, used().map(|shard| (shard.outputs(), &shard.targets[..])), columns)
            } else {
                let weights = used().flat_map(|shard| shard.weights().iter().copied());
                match self.members {
                    None => total(weights),
                    Some(members) => {
                        let own: Vec<f64> = weights.collect();
                        let mut all = Vec::with_capacity(rows_of_batch);
                        members.all_gather_numbers(Kind::Weights, &own, &mut |_, weights| {
                            all.extend_from_slice(weights);
                            Some(())
                        })?;
                        total(all)
                    }
                }
            };
            let scale = reduction.factor(rows_of_batch, weight);
            let losses = if over_batch {
                whole_batch.compute(&pass, scale);
                Losses::OfBatch(whole_batch)
            } else {
                Losses::OfRows { scale }
            };
            if let Some(exchanges) = exchanges {
                exchanges.begin(rows_of_batch);
            }
            each_pair(&mut shards[own.clone()], &mut vec![(); own.len()], threads, &|index, shard, ()| {
                let index = own.start + index;
                let rows = rows(index);
                let turn =
                    if rows.is_empty() { None } else { exchanges.map(|exchanges| exchanges.join(index)) };
                {
                    let _membership = turn.as_ref().map(|turn| batch_group::enter(turn.member()));
                    shard.finish(&pass, rows, losses);
                }
                if let Some(turn) = turn {
                    turn.end();
                }
                if mode != Mode::Eval {
                    shard.bound_gradients(&pass, split_k.map(SplitK::largest));
                }
                Ok::<(), TrainError>(())
            })?;
        }

        if let Some(error) = exchanges.and_then(Exchanges::take_error) {
            return Err(error.into());
        }
        if exchanges.is_some_and(Exchanges::is_broken) {
            panic!("a layer that sums over the batch has to do so equally often in the passes of all shards");
        }
        // The rows' losses are summed in their order, whichever shards they are in.
        let losses = shards.iter().flat_map(|shard| shard.losses().iter().copied());
        let sum = match self.members {
            None => total(losses),
            Some(members) => {
                let largest_grads = shards[own.clone()].iter().map(|shard| shard.largest_grad);
                of_group.gather(members, largest_grads, losses)?;
                total(of_group.losses.iter().copied())
            }
        };
        // A loss beyond the range of the model's numbers is as infinite as its gradient.
        let in_range = |loss: f64| if T::of(loss).is_finite() { loss } else { T::of(loss).as_f64() };
        let over = |divisor: f64| if divisor == 0.0 { 0.0 } else { in_range(sum / divisor) };
        if reduction == Reduction::MeanOfRows {
            weight = rows_of_batch as f64;
        }
        Ok(BatchLoss {
            objective: over(reduction.divisor(rows_of_batch, weight)),
            mean: over(weight),
            weight,
        })
    }

    /// The forward pass of an evaluation over all samples of the batch, in this shard, and the losses of its rows; returns how much the
    /// samples count.
    pub(super) fn evaluate(
        &self,
        params: &[T],
        buckets: &Buckets,
        shard: &mut Shard<T, Y>,
    ) -> Result<f64, TrainError> {
        let pass = self.pass(params, buckets);
        let rows = 0..self.batch.samples.len();
        self.take_samples(&pass, shard, rows.clone(), None)?;
        shard.forward(&pass, rows.clone());
        let mut weight = rows.len() as f64;
        if pass.loss.scope() == Scope::WeightedRow {
            shard.weigh(&pass);
            weight = total(shard.weights().iter().copied());
        }
        let reduction = pass.loss.reduction();
        let scale = reduction.factor(rows.len(), weight);
        let count = rows.len() as f64;
        shard.finish(&pass, rows, Losses::OfRows { scale });
        Ok(if reduction == Reduction::MeanOfRows { count } else { weight })
    }

    /// What every shard of the batch reads.
    fn pass<'a>(&'a self, params: &'a [T], buckets: &'a Buckets) -> Pass<'a, T, Y> {
        Pass {
            layers: self.layers,
            params,
            loss: self.loss,
            data: self.data,
            samples: self.batch.samples,
            mode: self.mode,
            deferred: self.deferred,
            sparse: self.sparse,
            finite: self.finite,
            of_shards: buckets.of_shards(self.deferred),
        }
    }

    /// Reads these rows of the batch, checks them, and computes the first product where it is not left to its layer.
    fn take_samples(
        &self,
        pass: &Pass<'_, T, Y>,
        shard: &mut Shard<T, Y>,
        rows: Range<usize>,
        split_k: Option<&SplitK<T>>,
    ) -> Result<(), TrainError> {
        let &Self { batch, columns, metrics, sparse_samples, .. } = self;
        if sparse_samples {
            shard.gather_sparse(pass, rows.clone());
        } else if split_k.is_none() {
            shard.gather(pass, rows.clone());
        }
        // Samples and targets are checked here, so that layers and losses need not check them.
        let sample = |row: usize| batch.samples.get(row).map_or(row, |&sample| sample as usize);
        if let Err(source) = check_targets(pass.loss, metrics, columns, &shard.targets) {
            let source = source.after(rows.start);
            let sample = sample(source.row());
            return Err(TrainError::Target { batch: batch.index, sample, columns, source });
        }
        check_outputs(pass.loss, metrics, columns, &shard.targets)?;
        match split_k {
            // Layers that begin with a product take all numbers.
            None if sparse_samples => shard.multiply_sparse(pass),
            None => {
                if let Err(source) = pass.layers.check(shard.inputs()) {
                    let source = source.after(rows.start);
                    let sample = sample(source.row());
                    return Err(TrainError::Value { batch: batch.index, sample, source });
                }
                shard.multiply_used(pass);
            }
            Some(split_k) => {
                if !shard.is_empty() {
                    split_k.sum(rows, shard.first_product());
                }
            }
        }
        Ok(())
    }
}
