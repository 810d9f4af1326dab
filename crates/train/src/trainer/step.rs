//! One step: the shards' forward and backward passes, then the sum of their gradients and the update. The
//! [engine](crate::engine) has a picture of it.

use chainrule_core::{Layer, Mode};
use chainrule_data::Samples;
use chainrule_losses::total;
use chainrule_tensor::Real;

use super::error::TrainError;
use super::targets::{check_outputs, check_targets};
use super::{State, Trainer, WORTH_A_FORK};
use crate::engine::buckets;
use crate::engine::pass::{Batch, Pass, rows_of_shard};
use crate::engine::pool::each_pair;
use crate::engine::prefetch::NextSamples;
use crate::engine::reduce::{BucketRange, Phase, Reduce};
use crate::engine::split_k::SplitK;
use crate::engine::update::ParamBlock;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Trains on a batch; returns its mean loss before the update.
    pub(super) fn step<D>(&mut self, data: &D, batch: Batch<'_>) -> Result<f64, TrainError>
    where
        D: Samples<T, Target = Y>,
    {
        let seed = self.seed.child(1).child(self.state.step);
        let mode = Mode::Train { seed, first_row: 0 };
        let small = self.step_flops(batch.samples.len()) < WORTH_A_FORK;
        let threads = if small { 1 } else { self.state.threads };
        let loss = self.forward(data, batch, mode, threads)?;

        let optimizer = &*self.optimizer;
        let slots = optimizer.slots();
        let prefetch = |sample: u32, columns| data.prefetch(sample as usize, columns);
        let next =
            NextSamples { prefetch: &prefetch, samples: batch.next, columns: (0, self.model.input().size()) };
        let params = &mut self.model.parameters;
        let State { shards, split_k, optimizer_state, total, scratch, buckets, step, .. } = &mut self.state;
        let buckets = buckets.of_step(|stage| {
            let used = shards.iter().filter(|shard| !shard.is_empty());
            used.map(move |shard| shard.sparse_grad(stage))
        });
        let mut reduce = |phase, total: &mut [T], next| {
            let state = &mut *optimizer_state;
            let block = ParamBlock { step: *step, optimizer, slots, offset: 0, params, state };
            let reduce = Reduce { phase, shards, split_k: split_k.as_ref(), next };
            reduce.run(BucketRange { buckets, block, total }, scratch, threads);
        };
        if optimizer.needs_all_gradients() {
            reduce(Phase::Reduce, total, NextSamples { samples: &[], ..next });
            optimizer.transform_all(*step, total);
            reduce(Phase::Update, total, next);
        } else {
            reduce(Phase::Fused, &mut [], next);
        }
        *step += 1;
        Ok(loss)
    }

    /// Runs the shards of a batch; returns the mean loss of the batch.
    pub(super) fn forward<D>(
        &mut self,
        data: &D,
        batch: Batch<'_>,
        mode: Mode,
        threads: usize,
    ) -> Result<f64, TrainError>
    where
        D: Samples<T, Target = Y> + ?Sized,
    {
        let pass = Pass {
            layers: self.model.layers(),
            params: self.model.parameters(),
            loss: &*self.loss,
            data,
            samples: batch.samples,
            mode,
            deferred: buckets::defers(self.model.plan()),
            sparse: buckets::sparse(&*self.optimizer),
        };
        let columns = self.model.output().size();
        let metrics = &self.metrics[..];
        let State { shards, split_k, .. } = &mut self.state;
        let count = shards.len();
        let rows = |shard| rows_of_shard(batch.samples.len(), shard, count);

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
            shard.run(&pass, rows);
            Ok(())
        })?;

        // The rows' losses are summed in their order, whichever shards they are in.
        let losses = self.state.shards.iter().flat_map(|shard| shard.losses().iter().copied());
        let loss = total(losses) / batch.samples.len() as f64;
        // A loss beyond the range of the model's numbers is as infinite as its gradient.
        Ok(if T::of(loss).is_finite() { loss } else { T::of(loss).as_f64() })
    }
}
