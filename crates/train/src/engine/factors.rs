//! The factors of products, for an optimizer that needs them: the second moments of their inputs and of the gradients of their
//! outputs.
//!
//! After its backward pass a shard has the x and the dz of each product `z = x W`, of which the gradient of W is computed. Here the same
//! rows become `1/m Σ x xᵀ` and `m Σ dz dzᵀ`, one shard after the other, in blocks of rows that do not depend on the number of threads.

use chainrule_core::{Plan, SequentialCache};
use chainrule_losses::Reduction;
use chainrule_optim::{Parameter, UpdateRule};
use chainrule_tensor::{Buffer, FlushDenormals, Real, gemm};
use ndarray::{ArrayViewMut2, s};

use super::pool;
use super::several_passes::Shares;
use super::shard::Shard;

/// How many rows of a factor are computed at a time.
const ROWS: usize = 64;

/// Which factor of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// That of x.
    Inputs,
    /// That of dz.
    Units,
}

/// Some rows of a factor.
#[derive(Clone, Copy, Debug)]
struct FactorRows {
    stage: usize,
    side: Side,
    first_row: usize,
    rows: usize,
    /// The numbers of rows and of columns of the factor.
    size: usize,
    /// Where it begins in all factors.
    start: usize,
}

/// The factors of all products, as optimizers are given them, and the memory that they are inverted in.
#[derive(Default)]
pub(crate) struct SecondMoments<T> {
    pub(crate) values: Buffer<T>,
    pub(crate) scratch: Buffer<f64>,
    /// Empty where the optimizer needs no factors.
    blocks: Vec<FactorRows>,
}

/// The rows of a batch that a pass has computed.
#[derive(Clone, Copy)]
pub(crate) struct RowsOfPass<'a, T: Real, Y> {
    pub(crate) shards: &'a [Shard<T, Y>],
    /// How much the passes so far, and this one, count.
    pub(crate) shares: Shares,
    /// The number of rows of the whole batch.
    pub(crate) of_batch: usize,
    /// What the loss of the batch is.
    pub(crate) reduction: Reduction,
}

impl<T: Real> SecondMoments<T> {
    /// The number of values of all factors that an optimizer needs, and the number of those that it computes in.
    pub(crate) fn sizes(optimizer: &dyn UpdateRule<T>, parameters: &[Parameter]) -> [usize; 2] {
        if !optimizer.needs_factors() {
            return [0; 2];
        }
        let sizes = parameters.iter().map(Parameter::factors);
        let scratch = parameters.iter().map(|parameter| optimizer.factor_scratch(parameter));
        [sizes.fold(0, usize::saturating_add), scratch.max().unwrap_or(0)]
    }

    /// Cuts the factors of the products of a plan into blocks, if an optimizer needs them.
    pub(crate) fn cut(
        &mut self,
        optimizer: &dyn UpdateRule<T>,
        parameters: &[Parameter],
        plan: &Plan,
        cache: &SequentialCache<T>,
    ) {
        self.blocks.clear();
        if !optimizer.needs_factors() {
            return;
        }
        let mut start = 0;
        for (entry, parameter) in plan.entries().iter().zip(parameters) {
            let product = cache.products().find(|(_, range)| *range == entry.range && parameter.product);
            let Some((stage, _)) = product else { continue };
            for (side, &size) in [Side::Inputs, Side::Units].into_iter().zip(&*parameter.shape) {
                for first_row in (0..size).step_by(ROWS) {
                    let rows = ROWS.min(size - first_row);
                    self.blocks.push(FactorRows { stage, side, first_row, rows, size, start });
                    start += rows * size;
                }
            }
        }
    }

    /// Whether the optimizer needs factors.
    pub(crate) fn are_needed(&self) -> bool {
        !self.blocks.is_empty()
    }

    /// Adds what a pass has computed, on up to `threads` threads.
    pub(crate) fn add<Y: Sync>(&mut self, rows: RowsOfPass<'_, T, Y>, threads: usize) {
        rows.share(&self.blocks, &mut self.values, threads);
    }
}

impl<T: Real, Y: Sync> RowsOfPass<'_, T, Y> {
    fn share(&self, blocks: &[FactorRows], values: &mut [T], threads: usize) {
        if threads < 2 || blocks.len() < 2 {
            let _flush = FlushDenormals::new();
            let mut rest = values;
            for block in blocks {
                let (own, others) = rest.split_at_mut(block.rows * block.size);
                self.sum(block, own);
                rest = others;
            }
            return;
        }
        // Each value takes as long as any other.
        let first = blocks[0].start;
        let half = blocks.partition_point(|block| block.start - first < values.len() / 2);
        let middle = half.clamp(1, blocks.len() - 1);
        let (blocks_a, blocks_b) = blocks.split_at(middle);
        let (values_a, values_b) = values.split_at_mut(blocks_b[0].start - first);
        let threads_a = threads.div_ceil(2);
        pool::join(
            || self.share(blocks_a, values_a, threads_a),
            || self.share(blocks_b, values_b, threads / 2),
        );
    }

    /// Adds to some rows of a factor, or writes them if this is the first pass.
    fn sum(&self, &FactorRows { stage, side, first_row, rows, size, .. }: &FactorRows, sum: &mut [T]) {
        let &Self { shards, shares: Shares { first, gradients: [before, now], .. }, of_batch, reduction } =
            self;
        let m = of_batch as f64;
        let of_loss = if reduction == Reduction::Sum { 1.0 } else { m };
        // What the sums so far, and these, are multiplied by: a dz as the gradient is, so its squares twice.
        let [old, new] = match side {
            Side::Inputs => [1.0, 1.0 / m],
            Side::Units => [before * before, of_loss * now * now],
        };
        let mut old = if first { T::zero() } else { T::of(old) };
        let mut sum = ArrayViewMut2::from_shape((rows, size), sum).expect("whole rows of the factor");
        for shard in shards.iter().filter(|shard| !shard.is_empty()) {
            let (x, dz) = shard.operands(stage);
            let operand = match side {
                Side::Inputs => x,
                Side::Units => dz,
            };
            let own = operand.slice(s![.., first_row..first_row + rows]);
            gemm(T::of(new), own.reversed_axes(), operand, old, sum.view_mut());
            old = T::one();
        }
    }
}
