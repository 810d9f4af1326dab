//! The update of a step, and how it is undone.

use chainrule_core::Mode;
use chainrule_data::Samples;
use chainrule_optim::{Parameter, Step, UpdateRule, Whole};
use chainrule_tensor::{Real, UsedColumns};

use super::error::TrainError;
use super::forward::{Forward, Passes};
use super::reserve::reserve;
use super::{State, Trainer};
use crate::engine::buckets::{Bucket, Buckets};
use crate::engine::careful::{Finding, Watch};
use crate::engine::exchange::Exchanges;
use crate::engine::group_sum::{Addends, GroupSum};
use crate::engine::members::Members;
use crate::engine::pass::Batch;
use crate::engine::prefetch::NextSamples;
use crate::engine::range::largest_gradient;
use crate::engine::reduce::{Beside, BucketRange, Order, Phase, Reduce, Scratch, joint_columns};
use crate::engine::several_passes::{SeveralPasses, Shares};
use crate::engine::shard::Shard;
use crate::engine::split_k::SplitK;
use crate::engine::update::{Common, ParamBlock, take_statistics};
use crate::group::GroupError;

/// What an update is given beside the batch.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) next: NextSamples<'a>,
    pub(super) threads: usize,
    /// The loss of the batch.
    pub(super) loss: f64,
}

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Sums the gradients of the shards, unless they are summed already, and lets the optimizer take its step.
    pub(super) fn update(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        Work { next, threads, loss }: Work<'_>,
        watch: Option<&Watch>,
    ) {
        let step = self.state.at();
        let sums_first = self.sums_first();
        let seed = self.seed_of_step();
        let mode = |first_row| Mode::Train { seed, first_row };
        let (order, deferred) = (self.order(), self.defers());
        let sparse_samples = self.state.has_sparse_samples;
        let optimizer = &*self.optimizer;
        let State {
            shards,
            split_k,
            used,
            optimizer_state,
            numbers,
            total,
            factors,
            scratch,
            buckets,
            exchanges,
            whole_batch,
            of_group,
            group_sum,
            ..
        } = &mut self.state;
        let slots = optimizer.slots();
        optimizer.advance(step, numbers);
        if !sums_first {
            buckets.cut_tables(|stage| {
                let used = shards.iter().filter(|shard| !shard.is_empty());
                used.map(move |shard| shard.sparse_grad(stage))
            });
            let buckets = &*buckets;
            let params = &mut *self.model.parameters;
            let common = Common { step, optimizer, slots, parameters: buckets.parameters(), numbers, watch };
            let block =
                ParamBlock { common: &common, offset: 0, params, state_offset: 0, state: optimizer_state };
            let range = BucketRange { buckets: buckets.of_step(), block, total: &mut [] };
            let beside = Beside::of_first(split_k.as_ref(), joint_columns(used, shards, order));
            let reduce = Reduce { beside, next, ..Reduce::new(Phase::Fused, order, shards) };
            return reduce.run(range, scratch, threads);
        }

        let buckets = &*buckets;
        let params = &mut *self.model.parameters;
        if let Some(watch) = watch {
            look_at_all(watch, buckets, total, T::max_value());
        }
        take_statistics(buckets.updated(), 0, total, params);
        if optimizer.needs_all_gradients() {
            let forward = Forward {
                layers: &self.model.layers,
                loss: &*self.loss,
                metrics: &self.metrics,
                columns: self.model.output.size(),
                deferred,
                sparse: buckets.sparse(),
                sparse_samples,
                // The optimizer may try any.
                finite: false,
                data,
                batch,
                mode: mode(0),
                // Optimizers that evaluate a batch again are not for groups.
                members: None,
                threads: exchanges.as_ref().map_or(threads, Exchanges::len),
            };
            let sum = Sum { optimizer, buckets, threads, order };
            let mut evaluate = |params: &mut [T], grads: &mut [T]| {
                let mut passes = SeveralPasses::new(forward.loss.reduction());
                for (first_row, batch) in batch.parts(self.accumulate) {
                    let forward = Forward { batch, mode: mode(first_row), ..forward };
                    let exchanges = exchanges.as_ref();
                    let memory = Passes { shards, split_k, buckets, exchanges, whole_batch, of_group };
                    // What can be wrong with the samples of the batch was found in the first pass.
                    let Ok(loss) = forward.run(params, memory) else { return f64::NAN };
                    let shares = passes.add(loss, batch.samples.len(), 0.0);
                    sum.run(grads, shards, (split_k.as_ref(), used), scratch, shares);
                }
                for bucket in buckets.updated().iter().filter(|bucket| !bucket.kind.is_trained()) {
                    grads[bucket.start..bucket.end].fill(T::zero());
                }
                passes.loss().objective
            };
            let extra = |parameter: &Parameter| optimizer.extra(parameter);
            let whole = Whole::new(step, total)
                .with_state(buckets.layout(), params, optimizer_state, slots, &extra)
                .with_numbers(numbers)
                .with_factors(&mut factors.values, &mut factors.scratch)
                .with_loss(loss, &mut evaluate);
            optimizer.transform_all(whole);
        }
        if let Some(watch) = watch {
            look_at_all(watch, buckets, total, largest_gradient());
        }
        let common = Common { step, optimizer, slots, parameters: buckets.parameters(), numbers, watch };
        let block =
            ParamBlock { common: &common, offset: 0, params, state_offset: 0, state: optimizer_state };
        let range = BucketRange { buckets: buckets.updated(), block, total };
        let tables = &group_sum.tables;
        let beside = Beside::of_first(split_k.as_ref(), None);
        let reduce = Reduce { tables, beside, next, ..Reduce::new(Phase::Update, order, shards) };
        reduce.run(range, scratch, threads);
    }

    /// Takes a step that may not stay within the range of the numbers. If it does not, everything is as it was before, and the
    /// first finding is returned.
    pub(super) fn update_carefully(
        &mut self,
        data: &dyn Samples<T, Target = Y>,
        batch: Batch<'_>,
        work: Work<'_>,
    ) -> Result<Option<Finding>, TrainError> {
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
}

/// The sum of the shards' gradients into one flat vector.
pub(super) struct Sum<'a, T: Real> {
    pub(super) optimizer: &'a dyn UpdateRule<T>,
    pub(super) buckets: &'a Buckets,
    pub(super) threads: usize,
    pub(super) order: Order,
}

/// What a pass has computed.
pub(super) struct OfPass<'a, T: Real, Y> {
    pub(super) shards: &'a [Shard<T, Y>],
    pub(super) split_k: Option<&'a SplitK<T>>,
    /// The number of its rows, those of other processes included.
    pub(super) rows: usize,
    pub(super) shares: Shares,
}

impl<T: Real> Sum<'_, T> {
    /// As [`run`](Self::run), over the shards of all members of a group.
    pub(super) fn run_in_group<Y: Sync>(
        &self,
        members: &Members,
        total: &mut [T],
        of_pass: OfPass<'_, T, Y>,
        group_sum: &mut GroupSum<T>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let &Self { buckets, threads, order, .. } = self;
        let OfPass { shards, split_k, rows, shares } = of_pass;
        let common = &self.common();
        Addends { members, shards, split_k, buckets, common, rows, shares, order, threads }
            .run(total, group_sum, scratch)
    }

    /// No update is made with it.
    fn common(&self) -> Common<'_, T> {
        let &Self { optimizer, buckets, .. } = self;
        let slots = optimizer.slots();
        let parameters = buckets.parameters();
        Common { step: Step::default(), optimizer, slots, parameters, numbers: &[], watch: None }
    }

    /// Writes the gradients of all parameters to `total`, or adds their share to it.
    pub(super) fn run<Y: Sync>(
        &self,
        total: &mut [T],
        shards: &[Shard<T, Y>],
        (split_k, used): (Option<&SplitK<T>>, &mut UsedColumns<T>),
        scratch: &mut [Scratch<T>],
        shares: Shares,
    ) {
        let &Self { buckets, threads, order, .. } = self;
        let common = self.common();
        let block =
            ParamBlock { common: &common, offset: 0, params: &mut [], state_offset: 0, state: &mut [] };
        let range = BucketRange { buckets: buckets.of_step(), block, total };
        let beside = Beside::of_first(split_k, joint_columns(used, shards, order));
        Reduce { shares, beside, ..Reduce::new(Phase::Reduce, order, shards) }.run(range, scratch, threads);
    }
}

/// Looks at all gradients, of which none may be larger than `limit`, and at the next running statistics.
fn look_at_all<T: Real>(watch: &Watch, buckets: &Buckets, total: &[T], limit: T) {
    for &Bucket { start, end, kind, .. } in buckets.updated() {
        watch.look_at_gradients(kind, &total[start..end], start, limit);
    }
}
