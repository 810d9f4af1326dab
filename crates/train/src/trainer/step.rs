//! One step: the shards' forward and backward passes, then the sum of their gradients and the update. The
//! [engine](crate::engine) has a picture of it.

use chainrule_core::{Layer, Mode, batch_group};
use chainrule_data::Samples;
use chainrule_losses::{Reduction, Scope, total};
use chainrule_tensor::{Real, Seed, vector};

use super::error::TrainError;
use super::targets::{check_outputs, check_targets};
use super::{State, Trainer, WORTH_A_FORK, reserve};
use crate::engine::buckets::{self, Bucket};
use crate::engine::careful::{Finding, Watch, Watched};
use crate::engine::exchange::Exchanges;
use crate::engine::pass::{Batch, Pass, rows_of_shard};
use crate::engine::pool::each_pair;
use crate::engine::prefetch::NextSamples;
use crate::engine::range::largest_gradient;
use crate::engine::reduce::{BucketRange, Phase, Reduce};
use crate::engine::split_k::SplitK;
use crate::engine::update::ParamBlock;
use crate::engine::whole_batch::{BatchLoss, Losses, total_weight};

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Trains on a batch; returns its loss before the update.
    ///
    /// A step that is not taken changes nothing, except that the states that layers carry from batch to batch, which the forward
    /// pass has moved on, begin again from zeros.
    pub(super) fn step<D>(&mut self, data: &D, batch: Batch<'_>) -> Result<BatchLoss, TrainError>
    where
        D: Samples<T, Target = Y>,
    {
        let loss = self.try_step(data, batch);
        if loss.is_err() {
            self.reset_states();
        }
        loss
    }

    fn try_step<D>(&mut self, data: &D, batch: Batch<'_>) -> Result<BatchLoss, TrainError>
    where
        D: Samples<T, Target = Y>,
    {
        let mode = Mode::Train { seed: self.seed_of_step(), first_row: 0 };
        let small = self.step_flops(batch.samples.len()) < WORTH_A_FORK;
        let threads = if small { 1 } else { self.state.threads };
        // Shards that wait for each other have a thread each.
        let threads_of_pass = self.state.exchanges.as_ref().map_or(threads, Exchanges::len);
        let loss = self.forward(data, batch, mode, threads_of_pass)?;
        self.check_loss(data, batch, loss.objective)?;
        let prefetch = |sample: u32, columns| data.prefetch(sample as usize, columns);
        let next =
            NextSamples { prefetch: &prefetch, samples: batch.next, columns: (0, self.model.input().size()) };
        if self.is_within_range() {
            self.update(next, threads, None);
        } else if let Some(finding) = self.update_carefully(next, threads)? {
            return Err(self.refusal(data, batch, finding));
        }
        self.state.step += 1;
        Ok(loss)
    }

    /// The seed of the random layers in the next step.
    pub(super) fn seed_of_step(&self) -> Seed {
        self.seed.child(1).child(self.state.step)
    }

    /// Whether it is certain that this step leaves all parameters and the optimizer's state finite.
    fn is_within_range(&mut self) -> bool {
        let step = self.state.at();
        let State { shards, optimizer_state, buckets, range, .. } = &mut self.state;
        let largest_grad = shards.iter().map(|shard| shard.largest_grad).sum();
        range.admits(&*self.optimizer, step, largest_grad, |params, state| {
            *params = vector::largest(&self.model.parameters).as_f64();
            buckets.largest_by_slot(optimizer_state, state);
        })
    }

    /// Sums the gradients of the shards, and lets the optimizer take its step.
    fn update(&mut self, next: NextSamples<'_>, threads: usize, watch: Option<&Watch>) {
        let optimizer = &*self.optimizer;
        let slots = optimizer.slots();
        let params = &mut self.model.parameters;
        let step = self.state.at();
        let State { shards, split_k, optimizer_state, total, scratch, buckets, .. } = &mut self.state;
        let buckets = buckets.of_step(|stage| {
            let used = shards.iter().filter(|shard| !shard.is_empty());
            used.map(move |shard| shard.sparse_grad(stage))
        });
        let mut reduce = |phase, total: &mut [T], next| {
            let state = &mut *optimizer_state;
            let block = ParamBlock { step, optimizer, slots, watch, offset: 0, params, state };
            let reduce = Reduce { phase, shards, split_k: split_k.as_ref(), next };
            reduce.run(BucketRange { buckets, block, total }, scratch, threads);
        };
        if optimizer.needs_all_gradients() {
            reduce(Phase::Reduce, total, NextSamples { samples: &[], ..next });
            optimizer.transform_all(step, total);
            if let Some(watch) = watch {
                for &Bucket { start, end, .. } in buckets.iter().filter(|bucket| bucket.kind.is_trained()) {
                    let index = |position| start + position;
                    watch.look(Watched::Gradient, &total[start..end], largest_gradient(), index);
                }
            }
            reduce(Phase::Update, total, next);
        } else {
            reduce(Phase::Fused, &mut [], next);
        }
    }

    /// Takes a step that may not stay within the range of the numbers. If it does not, everything is as it was before, and the
    /// first finding is returned.
    fn update_carefully(
        &mut self,
        next: NextSamples<'_>,
        threads: usize,
    ) -> Result<Option<Finding>, TrainError> {
        let slots = self.optimizer.slots();
        let what =
            "copies of the parameters and of the optimizer's state, for a step that may have to be undone";
        let State { copies, optimizer_state, buckets, scratch, range, .. } = &mut self.state;
        reserve(&mut copies.params, self.model.parameters.len(), slots.saturating_add(1), what)?;
        reserve(&mut copies.state, optimizer_state.len(), 1, what)?;
        copies.take(buckets, slots, &self.model.parameters, optimizer_state);
        scratch.iter_mut().for_each(|scratch| scratch.sparse.copies.clear());
        range.forget();
        let watch = Watch::default();
        self.update(next, threads, Some(&watch));
        let found = watch.found();
        if found.is_some() {
            let State { copies, optimizer_state, buckets, scratch, .. } = &mut self.state;
            let rows = scratch.iter().map(|scratch| &scratch.sparse.copies);
            copies.restore(buckets, rows, slots, &mut self.model.parameters, optimizer_state);
        }
        Ok(found)
    }

    /// Runs the shards of a batch; returns its loss.
    pub(super) fn forward<D>(
        &mut self,
        data: &D,
        batch: Batch<'_>,
        mode: Mode,
        threads: usize,
    ) -> Result<BatchLoss, TrainError>
    where
        D: Samples<T, Target = Y> + ?Sized,
    {
        let State { shards, split_k, buckets, exchanges, whole_batch, .. } = &mut self.state;
        let exchanges = if mode == Mode::Eval { None } else { exchanges.as_ref() };
        if let Some(exchanges) = exchanges {
            exchanges.begin(batch.samples.len());
        }
        let pass = Pass {
            layers: self.model.layers(),
            params: self.model.parameters(),
            loss: &*self.loss,
            data,
            samples: batch.samples,
            mode,
            deferred: buckets::defers(self.model.plan()),
            sparse: buckets::sparse(&*self.optimizer),
            of_shards: buckets.of_shards(),
        };
        let columns = self.model.output().size();
        let metrics = &self.metrics[..];
        let count = shards.len();
        let rows_of_batch = batch.samples.len();
        let rows = |shard| rows_of_shard(rows_of_batch, shard, count);
        let scope = pass.loss.scope();
        let reduction = pass.loss.reduction();
        // J = 1/m Σ L, over the m rows of the whole batch.
        let mut weight = rows_of_batch as f64;
        let scale = reduction.factor(rows_of_batch, weight);

        let mut split_k = if mode == Mode::Eval { None } else { split_k.as_mut() };
        if let Some(SplitK { blocks, units, .. }) = &mut split_k {
            let units = *units;
            each_pair(blocks, shards, threads, &|index, block, shard| {
                block.run(&pass, rows(index), &mut shard.targets, units);
                Ok::<(), TrainError>(())
            })?;
        }
        let split_k = split_k.as_deref();
        each_pair(shards, &mut vec![(); count], threads, &|index, shard, ()| {
            let rows = rows(index);
            let turn = if rows.is_empty() { None } else { exchanges.map(|exchanges| exchanges.join(index)) };
            if split_k.is_none() {
                shard.gather(&pass, rows.clone());
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
                None => {
                    if let Err(source) = pass.layers.check(shard.inputs()) {
                        let source = source.after(rows.start);
                        let sample = sample(source.row());
                        return Err(TrainError::Value { batch: batch.index, sample, source });
                    }
                }
                Some(split_k) => {
                    if !shard.is_empty() {
                        split_k.sum(rows.clone(), shard.first_product());
                    }
                }
            }
            {
                let _membership = turn.as_ref().map(|turn| batch_group::enter(turn.member()));
                match scope {
                    Scope::Row => shard.run(&pass, rows, scale),
                    Scope::WeightedRow | Scope::Batch => {
                        shard.forward(&pass, rows);
                        shard.weigh(&pass);
                    }
                }
            }
            if let Some(turn) = turn {
                turn.end();
            }
            if mode != Mode::Eval && scope == Scope::Row {
                shard.bound_gradients(&pass, split_k.map(SplitK::largest));
            }
            Ok(())
        })?;

        if scope != Scope::Row && !exchanges.is_some_and(Exchanges::is_broken) {
            weight = total_weight(shards);
            let scale = reduction.factor(rows_of_batch, weight);
            let losses = if scope == Scope::Batch {
                whole_batch.compute(&pass, shards, columns, scale);
                Losses::OfBatch(whole_batch)
            } else {
                Losses::OfRows { scale }
            };
            if let Some(exchanges) = exchanges {
                exchanges.begin(rows_of_batch);
            }
            each_pair(shards, &mut vec![(); count], threads, &|index, shard, ()| {
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

        if exchanges.is_some_and(Exchanges::is_broken) {
            panic!("a layer that sums over the batch has to do so equally often in the passes of all shards");
        }
        // The rows' losses are summed in their order, whichever shards they are in.
        let losses = self.state.shards.iter().flat_map(|shard| shard.losses().iter().copied());
        let sum = total(losses);
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
}
