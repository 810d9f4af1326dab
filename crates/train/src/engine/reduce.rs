//! The sum of the shards' gradients and the optimizer's step, [bucket](super::buckets) by bucket.
//!
//! The gradient of a weight that layers multiply with (`dW = Xᵀ dZ`) is not computed in the backward pass: the rows of dW
//! that make a bucket are, one shard after the other, right before the optimizer needs them. So no thread waits for another
//! one's sum, and the gradients of wide layers never go through memory.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_tensor::{Buffer, FlushDenormals, MAX_PRODUCTS, Real, UsedColumns, each, gemm_sum};
use ndarray::{ArrayViewMut2, s};

use super::buckets::{Bucket, Buckets, GradSource};
use super::gathered::Gathered;
use super::pass::rows_of_shard;
use super::pool;
use super::prefetch::{NextSamples, Prefetcher};
use super::range::largest_gradient;
use super::several_passes::Shares;
use super::shard::Shard;
use super::sparse::{RowRange, SparseUpdate, TableRows};
use super::split_k::SplitK;
use super::update::{ParamBlock, add};

/// The scratch space of one thread.
pub(crate) struct Scratch<T> {
    /// The gradient of a bucket.
    grads: Buffer<T>,
    /// What the optimizer computes in.
    update: Buffer<T>,
    pub(crate) sparse: SparseUpdate<T>,
}

impl<T: Real> Scratch<T> {
    /// Space for any of the buckets.
    pub(crate) fn new(buckets: &Buckets, slots: usize, shards: usize) -> Self {
        Self {
            grads: Buffer::zeros(buckets.longest()),
            update: Buffer::zeros(buckets.scratch()),
            sparse: SparseUpdate::new(buckets.widest_table(), slots, shards),
        }
    }
}

/// What to do with each bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Sum its gradient into `total`.
    Reduce,
    /// Update it from `total`.
    Update,
    /// Both at once, without `total`.
    Fused,
}

/// In which order the products of the shards are added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// As one product of all rows, which is fastest.
    Joined,
    /// One after the other, which can be done in several places.
    ByShard,
    /// Each was computed by its shard, and they are added as all other gradients are.
    InShards,
}

/// Contiguous buckets, with all that belongs to their parameters.
pub(crate) struct BucketRange<'a, T: Real> {
    pub(crate) buckets: &'a [Bucket],
    pub(crate) block: ParamBlock<'a, T>,
    /// The gradient of these parameters, where the optimizer needs all gradients at once; otherwise empty.
    pub(crate) total: &'a mut [T],
}

impl<T: Real> BucketRange<'_, T> {
    /// The first `middle` buckets, and the rest.
    fn split_at(self, middle: usize) -> (Self, Self) {
        let Self { buckets, block, total } = self;
        let (first, second) = buckets.split_at(middle);
        let all = block.params.len().max(total.len());
        let at = second.first().map_or(all, |bucket| bucket.start - block.offset);
        let (total_a, total_b) = total.split_at_mut(at.min(total.len()));
        let state_at = second.first().map_or(block.state.len(), |bucket| bucket.state - block.state_offset);
        let (block_a, block_b) = block.split_at(at, state_at);
        (
            Self { buckets: first, block: block_a, total: total_a },
            Self { buckets: second, block: block_b, total: total_b },
        )
    }

    /// The buckets that end at or before this index of the flat parameters, and the rest.
    fn split_before(self, end: usize) -> (Self, Self) {
        let middle = self.buckets.partition_point(|bucket| bucket.end <= end);
        self.split_at(middle)
    }

    /// Two parts of about the same cost. Neither is empty if there are two buckets or more.
    fn halve(self) -> (Self, Self) {
        let (Some(first), Some(last)) = (self.buckets.first(), self.buckets.last()) else {
            return self.split_at(0);
        };
        let half = first.cost.midpoint(last.cost);
        let middle = self.buckets.partition_point(|bucket| bucket.cost <= half).max(1);
        self.split_at(middle)
    }
}

/// What is known of products beside the operands in the shards.
#[derive(Clone, Copy)]
pub(crate) enum Beside<'a, T: Real> {
    Nothing,
    /// The first product, which is split.
    Split(&'a SplitK<T>),
    /// The columns that the samples of all shards use.
    Used(&'a UsedColumns<T>),
    /// The operands in the shards of all members of a group, where they are summed here.
    Gathered(&'a Gathered<T>),
}

impl<'a, T: Real> Beside<'a, T> {
    /// The first product where it is split, or else the columns that all shards use if they were found.
    pub(crate) fn of_first(split_k: Option<&'a SplitK<T>>, used: Option<&'a UsedColumns<T>>) -> Self {
        split_k.map(Self::Split).or(used.map(Self::Used)).unwrap_or(Self::Nothing)
    }
}

/// The sum over the shards and the update, for all parameters.
pub(crate) struct Reduce<'a, T: Real, Y> {
    pub(crate) phase: Phase,
    pub(crate) order: Order,
    /// Whether others have begun the sums.
    pub(crate) continued: bool,
    /// The gradients of tables, where they were summed before the update.
    pub(crate) tables: &'a [TableRows<T>],
    /// How much the sums that are in `total` count, and these.
    pub(crate) shares: Shares,
    pub(crate) shards: &'a [Shard<T, Y>],
    pub(crate) beside: Beside<'a, T>,
    /// All samples of the next step, with all columns.
    pub(crate) next: NextSamples<'a>,
}

/// The work of one thread, or of several that share it.
struct Work<'a, T: Real> {
    /// Buckets of the split weight.
    split: BucketRange<'a, T>,
    /// Buckets of other parameters.
    rest: BucketRange<'a, T>,
    /// The shards, and the blocks of the split product, that these threads had in the forward pass.
    shards: Range<usize>,
    /// For each thread.
    scratch: &'a mut [Scratch<T>],
    threads: usize,
}

impl<'a, T: Real, Y: Sync> Reduce<'a, T, Y> {
    /// Of the only pass of a batch, whose shards have all that is needed, without a look at the next one.
    pub(crate) fn new(phase: Phase, order: Order, shards: &'a [Shard<T, Y>]) -> Self {
        let (shares, beside, next) = (Shares::ALL, Beside::Nothing, NextSamples::none());
        Self { phase, order, continued: false, tables: &[], shares, shards, beside, next }
    }

    /// The first product, if it is split.
    fn split_k(&self) -> Option<&'a SplitK<T>> {
        match self.beside {
            Beside::Split(split_k) => Some(split_k),
            _ => None,
        }
    }

    /// The operands in the shards of all members.
    fn gathered(&self) -> Option<&'a Gathered<T>> {
        match self.beside {
            Beside::Gathered(gathered) => Some(gathered),
            _ => None,
        }
    }

    /// Runs on up to `threads` threads, each with one of `scratch`. The rows of the split weight go to the threads that
    /// multiplied with them, and to others if there are more threads than shards.
    pub(crate) fn run(&self, all: BucketRange<'_, T>, scratch: &mut [Scratch<T>], threads: usize) {
        let (split, rest) = all.split_before(self.split_k().map_or(0, |split_k| split_k.weight.end));
        self.share(Work { split, rest, shards: 0..self.shards.len(), scratch, threads });
    }

    fn share(&self, Work { split, mut rest, shards, scratch, threads }: Work<'_, T>) {
        if threads < 2 || split.buckets.len() + rest.buckets.len() < 2 {
            let _flush = FlushDenormals::new();
            // Other threads read the rest of the parameters in their passes, but not this thread's rows of the split weight; other processes
            // read all, if these are where they can.
            let are_read = shards.len() < self.shards.len() || self.gathered().is_some();
            let shared = are_read && self.phase != Phase::Reduce;
            if shared && let Some(first) = rest.buckets.first() {
                prefetch_params(first, &mut rest.block);
            }
            let calls = 2 * (split.buckets.len() + rest.buckets.len());
            let mut prefetcher = self.next_of(shards).over(calls);
            self.reduce(split, false, &mut scratch[0], &mut prefetcher);
            return self.reduce(rest, shared, &mut scratch[0], &mut prefetcher);
        }
        let middle = shards.start + shards.len().div_ceil(2);
        let (split_a, split_b) = match self.split_k() {
            // More threads than shards share the rows of one.
            Some(split_k) if shards.len() > 1 => split.split_before(split_k.end(middle)),
            _ => split.halve(),
        };
        let (rest_a, rest_b) = rest.halve();
        let threads_a = threads.div_ceil(2);
        let (scratch_a, scratch_b) = scratch.split_at_mut(threads_a);
        let a = Work {
            split: split_a,
            rest: rest_a,
            shards: shards.start..middle,
            scratch: scratch_a,
            threads: threads_a,
        };
        let b = Work {
            split: split_b,
            rest: rest_b,
            shards: middle..shards.end,
            scratch: scratch_b,
            threads: threads / 2,
        };
        pool::join(|| self.share(a), || self.share(b));
    }

    /// What the thread with these shards will read in the next step.
    fn next_of(&self, shards: Range<usize>) -> NextSamples<'_> {
        match self.split_k() {
            Some(split_k) => NextSamples { columns: split_k.columns(shards), ..self.next },
            None => {
                let first_row =
                    |shard| rows_of_shard(self.next.samples.len(), shard, self.shards.len()).start;
                let samples = &self.next.samples[first_row(shards.start)..first_row(shards.end)];
                NextSamples { samples, ..self.next }
            }
        }
    }

    /// The work of one thread. Parameters that are `shared` with other threads are prefetched for writing, each bucket while
    /// the one before it is computed.
    fn reduce(
        &self,
        BucketRange { buckets, mut block, total }: BucketRange<'_, T>,
        shared: bool,
        scratch: &mut Scratch<T>,
        prefetcher: &mut Prefetcher<'_>,
    ) {
        for (index, bucket) in buckets.iter().enumerate() {
            let &Bucket { start, end, kind, source, parameter, .. } = bucket;
            if shared && let Some(next) = buckets.get(index + 1) {
                prefetch_params(next, &mut block);
            }
            prefetcher.advance();
            if let GradSource::Table { stage, first_row, columns } = source {
                let range = RowRange { stage, first_row, start, end, columns, kind, parameter };
                match self.tables.iter().find(|sums| sums.stage == stage) {
                    Some(sums) => scratch.sparse.update_summed(&range, sums, &mut block),
                    None => scratch.sparse.run(&range, self.shards, &mut block),
                }
                prefetcher.advance();
                continue;
            }
            let of_total = || start - block.offset..end - block.offset;
            let grads = match self.phase {
                Phase::Update => &mut total[of_total()],
                Phase::Reduce => {
                    let total = &mut total[of_total()];
                    if self.shares.first {
                        self.sum(bucket, &mut scratch.sparse, total);
                    } else {
                        let of_pass = &mut scratch.grads[..end - start];
                        self.sum(bucket, &mut scratch.sparse, of_pass);
                        let Shares { gradients, statistics, .. } = self.shares;
                        let shares = if kind == ParamKind::Buffer { statistics } else { gradients };
                        add_share(of_pass, total, shares);
                    }
                    total
                }
                Phase::Fused => {
                    let grads = &mut scratch.grads[..end - start];
                    self.sum(bucket, &mut scratch.sparse, grads);
                    if let Some(watch) = block.common.watch {
                        watch.look_at_gradients(kind, grads, start, largest_gradient());
                    }
                    if kind == ParamKind::Buffer {
                        // The sum of the shards' shares of the next value.
                        block.replace(start..end, grads);
                    }
                    grads
                }
            };
            prefetcher.advance();
            if self.phase != Phase::Reduce && kind.is_trained() {
                block.update(bucket, grads, &mut scratch.update);
            }
        }
    }

    /// Writes to `sum` the gradient of this bucket: the sum over the shards, in their order. One that is continued is added to.
    fn sum(&self, bucket: &Bucket, sparse: &mut SparseUpdate<T>, sum: &mut [T]) {
        let mut shards = self.shards.iter().filter(|shard| !shard.is_empty());
        let continued = self.continued;
        let (stage, first_row, columns) = match bucket.source {
            GradSource::Product { stage, first_row, columns } if self.order != Order::InShards => {
                (stage, first_row, columns)
            }
            GradSource::Table { .. } => unreachable!("the gradient of a table is summed row by row"),
            GradSource::Product { .. } | GradSource::Shards => {
                if !continued {
                    let first = shards.next().expect("a batch has at least one sample");
                    sum.copy_from_slice(&first.grads[bucket.start..bucket.end]);
                }
                return shards.for_each(|shard| add(&shard.grads[bucket.start..bucket.end], sum));
            }
        };
        if stage == 0 && shards.clone().any(|shard| shard.sparse_samples().is_some()) {
            return sparse.sum_dense([first_row, columns], self.shards, continued, sum);
        }
        let inputs = first_row..first_row + sum.len() / columns;
        let finite = stage == 0 && self.has_finite_gradients();
        let product =
            |used: Option<UsedRange<'_, T>>, products: &[_], beta, dw: ArrayViewMut2<'_, T>| match used
                .filter(|_| finite)
            {
                Some((used, columns)) => used.sum_of_products(products, columns, beta, dw),
                None => gemm_sum(products, beta, dw),
            };
        let mut dw =
            ArrayViewMut2::from_shape((inputs.len(), columns), sum).expect("whole rows of the weight");
        // With a split product only the shards of this process have rows here.
        let mut row = self.split_k().map_or(0, SplitK::first_row);
        let all = self.shards.iter().enumerate();
        let mut operands = all.filter_map(|(index, shard)| {
            let gathered = self.gathered();
            let gathered =
                gathered.and_then(|all| Some((all.used_columns(index), all.operands(stage, index)?)));
            let (used, (x, dy)) = match gathered {
                Some(operands) => operands,
                None if shard.is_empty() => return None,
                None => (shard.used_columns(), shard.operands(stage)),
            };
            let rows = row..row + dy.nrows();
            row = rows.end;
            let (used, x) = match self.beside {
                Beside::Split(split_k) if stage == 0 => {
                    let used = split_k.used(rows.start, inputs.clone());
                    (Some(used), split_k.x(rows, inputs.clone()))
                }
                _ => {
                    let used = used.map(|used| (used, inputs.clone()));
                    (used, x.slice_move(s![.., inputs.clone()]))
                }
            };
            Some((used, (x.reversed_axes(), dy)))
        });
        if self.order != Order::Joined {
            let mut beta = if continued { T::one() } else { T::zero() };
            for (used, terms) in operands {
                product(used, &[terms], beta, dw.view_mut());
                beta = T::one();
            }
            return;
        }
        let used = match self.beside {
            Beside::Split(split_k) if stage == 0 => Some(split_k.used(0, inputs.clone())),
            Beside::Used(used) if stage == 0 => Some((used, inputs.clone())),
            _ => None,
        };
        debug_assert!(self.gathered().is_none(), "what other members have is added shard by shard");
        // dW = Σ Xᵀ dZ: the sum over all rows of the batch.
        let Some((_, first)) = operands.next() else { unreachable!("a batch has at least one sample") };
        let mut some = [first; MAX_PRODUCTS];
        let (mut count, mut beta) = (1, T::zero());
        for (_, next) in operands {
            if count == MAX_PRODUCTS {
                product(used.clone(), &some, beta, dw.view_mut());
                (count, beta) = (0, T::one());
            }
            some[count] = next;
            count += 1;
        }
        product(used, &some[..count], beta, dw);
    }

    /// Whether it is certain that no gradient is NaN or infinite: 0 times one would be NaN.
    fn has_finite_gradients(&self) -> bool {
        let own = self.shards.iter().map(|shard| shard.largest_grad).sum::<f64>().is_finite();
        own && self.gathered().is_none_or(Gathered::are_finite)
    }
}

/// The columns that samples use, and some columns.
type UsedRange<'a, T> = (&'a UsedColumns<T>, Range<usize>);

/// The columns that the samples of all shards use, written to `joint`, if all were looked at, and their products are added up at once.
pub(crate) fn joint_columns<'a, T: Real, Y>(
    joint: &'a mut UsedColumns<T>,
    shards: &[Shard<T, Y>],
    order: Order,
) -> Option<&'a UsedColumns<T>> {
    if order != Order::Joined {
        return None;
    }
    let mut filled = shards.iter().filter(|shard| !shard.is_empty());
    if !filled.clone().all(|shard| shard.used_columns().is_some()) {
        return None;
    }
    joint.join(filled.by_ref().filter_map(Shard::used_columns));
    Some(joint)
}

/// Prefetches the parameters of a bucket for writing; not those of a table, of which a step updates few.
fn prefetch_params(bucket: &Bucket, block: &mut ParamBlock<'_, impl Real>) {
    if !matches!(bucket.source, GradSource::Table { .. }) {
        block.prefetch(bucket.start..bucket.end);
    }
}

/// `sum ← a sum + b values`.
pub(crate) fn add_share<T: Real>(values: &[T], sum: &mut [T], shares: [f64; 2]) {
    let [a, b] = shares.map(T::of);
    each!(sum = |value: values| a * sum + b * value);
}
