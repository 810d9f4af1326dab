//! One step: the shards' forward and backward passes, then the sum of their gradients and the update. The
//! [engine](crate::engine) has a picture of it.

use std::ops::Range;

use chainrule_core::Mode;
use chainrule_data::Samples;
use chainrule_optim::{Parameter, Step, UpdateRule, Whole};
use chainrule_tensor::{Real, Seed, vector};

use super::error::TrainError;
use super::forward::{Forward, Passes};
use super::{State, Trainer, WORTH_A_FORK, reserve};
use crate::engine::buckets::{self, Bucket, Buckets};
use crate::engine::careful::{Finding, Watch, Watched};
use crate::engine::exchange::Exchanges;
use crate::engine::pass::Batch;
use crate::engine::prefetch::NextSamples;
use crate::engine::range::largest_gradient;
use crate::engine::reduce::{BucketRange, Phase, Reduce, Scratch};
use crate::engine::shard::Shard;
use crate::engine::split_k::SplitK;
use crate::engine::update::{Common, ParamBlock};
use crate::engine::whole_batch::BatchLoss;

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
        let mode = self.mode_of_step();
        let small = self.step_flops(batch.samples.len()) < WORTH_A_FORK;
        let threads = if small { 1 } else { self.state.threads };
        // Shards that wait for each other have a thread each.
        let threads_of_pass = self.state.exchanges.as_ref().map_or(threads, Exchanges::len);
        let loss = self.forward(data, batch, mode, threads_of_pass)?;
        self.check_loss(data, batch, loss.objective)?;
        let objective = loss.objective;
        let prefetch = |sample: u32, columns| data.prefetch(sample as usize, columns);
        let next =
            NextSamples { prefetch: &prefetch, samples: batch.next, columns: (0, self.model.input().size()) };
        if self.is_within_range() {
            self.update(data, batch, Work { next, threads, loss: objective }, None);
        } else if let Some(finding) =
            self.update_carefully(data, batch, Work { next, threads, loss: objective })?
        {
            return Err(self.refusal(data, batch, finding));
        }
        self.state.step += 1;
        Ok(loss)
    }

    /// The mode of the passes in the next step.
    fn mode_of_step(&self) -> Mode {
        Mode::Train { seed: self.seed_of_step(), first_row: 0 }
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
        let State { shards, optimizer_state, buckets, range, .. } = &mut self.state;
        let largest_grad = shards.iter().map(|shard| shard.largest_grad).sum();
        range.admits(&*self.optimizer, step, largest_grad, |params, state| {
            *params = vector::largest(&self.model.parameters).as_f64();
            buckets.largest_by_slot(optimizer_state, state);
        })
    }

    /// Sums the gradients of the shards, and lets the optimizer take its step. `loss` is that of the batch.
    fn update<D>(
        &mut self,
        data: &D,
        batch: Batch<'_>,
        Work { next, threads, loss }: Work<'_>,
        watch: Option<&Watch>,
    ) where
        D: Samples<T, Target = Y>,
    {
        let mode = self.mode_of_step();
        let step = self.state.at();
        let optimizer = &*self.optimizer;
        let State {
            shards,
            split_k,
            optimizer_state,
            numbers,
            total,
            scratch,
            buckets,
            exchanges,
            whole_batch,
            ..
        } = &mut self.state;
        let slots = optimizer.slots();
        buckets.cut_tables(|stage| {
            let used = shards.iter().filter(|shard| !shard.is_empty());
            used.map(move |shard| shard.sparse_grad(stage))
        });
        let buckets = &*buckets;
        optimizer.advance(step, numbers);
        let deferred = buckets::defers(self.model.plan());
        let params = &mut *self.model.parameters;
        if !optimizer.needs_all_gradients() {
            let common = Common { step, optimizer, slots, parameters: buckets.parameters(), numbers, watch };
            let block =
                ParamBlock { common: &common, offset: 0, params, state_offset: 0, state: optimizer_state };
            let range = BucketRange { buckets: buckets.of_step(), block, total: &mut [] };
            let reduce =
                Reduce { phase: Phase::Fused, statistics: true, shards, split_k: split_k.as_ref(), next };
            return reduce.run(range, scratch, threads);
        }

        let forward = Forward {
            layers: &self.model.layers,
            loss: &*self.loss,
            metrics: &self.metrics,
            columns: self.model.output.size(),
            deferred,
            sparse: buckets::sparse(optimizer),
            data,
            batch,
            mode,
            threads: exchanges.as_ref().map_or(threads, Exchanges::len),
        };
        let mut sum = Sum { optimizer, buckets, watch, threads };
        sum.run(params, total, shards, split_k.as_ref(), scratch, true);
        {
            sum.watch = None;
            let mut evaluate = |params: &mut [T], grads: &mut [T]| {
                let passes = Passes { shards, split_k, buckets, exchanges: exchanges.as_ref(), whole_batch };
                // What can be wrong with the samples of the batch was found in the first pass.
                let loss = forward.run(params, passes).map_or(f64::NAN, |loss| loss.objective);
                sum.run(params, grads, shards, split_k.as_ref(), scratch, false);
                loss
            };
            let extra = |parameter: &Parameter| optimizer.extra(parameter);
            let whole = Whole::new(step, total)
                .with_state(buckets.layout(), params, optimizer_state, slots, &extra)
                .with_numbers(numbers)
                .with_loss(loss, &mut evaluate);
            optimizer.transform_all(whole);
        }
        if let Some(watch) = watch {
            for &Bucket { start, end, .. } in
                buckets.updated().iter().filter(|bucket| bucket.kind.is_trained())
            {
                let index = |position| start + position;
                watch.look(Watched::Gradient, &total[start..end], largest_gradient(), index);
            }
        }
        let common = Common { step, optimizer, slots, parameters: buckets.parameters(), numbers, watch };
        let block =
            ParamBlock { common: &common, offset: 0, params, state_offset: 0, state: optimizer_state };
        let range = BucketRange { buckets: buckets.updated(), block, total };
        let phase = Phase::Update;
        Reduce { phase, statistics: true, shards, split_k: split_k.as_ref(), next }
            .run(range, scratch, threads);
    }

    /// Takes a step that may not stay within the range of the numbers. If it does not, everything is as it was before, and the
    /// first finding is returned.
    fn update_carefully<D>(
        &mut self,
        data: &D,
        batch: Batch<'_>,
        work: Work<'_>,
    ) -> Result<Option<Finding>, TrainError>
    where
        D: Samples<T, Target = Y>,
    {
        let slots = self.optimizer.slots();
        let what =
            "copies of the parameters and of the optimizer's state, for a step that may have to be undone";
        let State { copies, optimizer_state, numbers, buckets, scratch, range, .. } = &mut self.state;
        reserve(&mut copies.params, self.model.parameters.len(), slots.saturating_add(1), what)?;
        reserve(&mut copies.state, optimizer_state.len(), 1, what)?;
        copies.take(buckets, &self.model.parameters, optimizer_state, numbers);
        scratch.iter_mut().for_each(|scratch| scratch.sparse.copies.clear());
        range.forget();
        let watch = Watch::default();
        self.update(data, batch, work, Some(&watch));
        let found = watch.found();
        if found.is_some() {
            let State { copies, optimizer_state, numbers, buckets, scratch, .. } = &mut self.state;
            let rows = scratch.iter().map(|scratch| &scratch.sparse.copies);
            copies.restore(buckets, rows, slots, &mut self.model.parameters, optimizer_state, numbers);
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
        let forward = Forward {
            layers: &self.model.layers,
            loss: &*self.loss,
            metrics: &self.metrics,
            columns: self.model.output.size(),
            deferred: buckets::defers(self.model.plan()),
            sparse: buckets::sparse(&*self.optimizer),
            data,
            batch,
            mode,
            threads,
        };
        let passes = Passes { shards, split_k, buckets, exchanges: exchanges.as_ref(), whole_batch };
        forward.run(&self.model.parameters, passes)
    }
}

/// What an update is given beside the batch.
#[derive(Clone, Copy)]
struct Work<'a> {
    next: NextSamples<'a>,
    threads: usize,
    /// The mean loss of the batch.
    loss: f64,
}

/// The sum of the shards' gradients into one flat vector.
struct Sum<'a, T: Real> {
    optimizer: &'a dyn UpdateRule<T>,
    buckets: &'a Buckets,
    watch: Option<&'a Watch>,
    threads: usize,
}

impl<T: Real> Sum<'_, T> {
    /// Writes the gradients of all parameters to `total`, and (if `statistics`) the next running statistics to the parameters.
    fn run<Y: Sync>(
        &self,
        params: &mut [T],
        total: &mut [T],
        shards: &[Shard<T, Y>],
        split_k: Option<&SplitK<T>>,
        scratch: &mut [Scratch<T>],
        statistics: bool,
    ) {
        let &Self { optimizer, buckets, watch, threads } = self;
        let slots = optimizer.slots();
        let parameters = buckets.parameters();
        let common = Common { step: Step::default(), optimizer, slots, parameters, numbers: &[], watch };
        let block = ParamBlock { common: &common, offset: 0, params, state_offset: 0, state: &mut [] };
        let range = BucketRange { buckets: buckets.of_step(), block, total };
        let nothing = |_: u32, _: Range<usize>| ();
        let next = NextSamples { prefetch: &nothing, samples: &[], columns: (0, 0) };
        Reduce { phase: Phase::Reduce, statistics, shards, split_k, next }.run(range, scratch, threads);
    }
}
