//! The first product of a network, split along K: by the columns of the samples.
//!
//! In a network that begins with a dense layer, most parameters are that layer's. Where a batch is cut by rows alone, every
//! thread reads all of them in every step, but has written only some: the others come from the caches of other cores, which
//! takes longer than the arithmetic. So each block takes some columns of all samples instead, `Z = X₁ W₁ + X₂ W₂ + ...`, and
//! its thread later computes the gradient of the same rows of W and updates them. What threads exchange is then `Z` and
//! `dZ`, not W. A matrix product split along its inner dimension K is called split-K.
//!
//! There are as many blocks as shards, and their products are added in order, so the number of threads is no part of the
//! result.

use std::ops::Range;

use chainrule_core::{Plan, SequentialCache};
use chainrule_tensor::{Buffer, FlushDenormals, Real, UsedColumns, gemm, map, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::buckets;
use super::pass::Pass;

/// The first product of a network, split into blocks.
pub(crate) struct SplitK<T: Real> {
    /// The range of the weight `[inputs, units]` in the flat parameters.
    pub(crate) weight: Range<usize>,
    pub(crate) units: usize,
    pub(crate) blocks: Vec<ColumnBlock<T>>,
}

/// Some columns of the samples, with their product. It is aligned to two cache lines, as a shard is.
#[repr(align(128))]
pub(crate) struct ColumnBlock<T: Real> {
    columns: Range<usize>,
    /// These columns of the batch.
    x: Buffer<T>,
    /// Their product, `[rows of the batch, units]`.
    z: Buffer<T>,
    /// Scratch space for a whole sample.
    row: Buffer<T>,
    /// The largest absolute value in these columns.
    largest: f64,
    /// Those that are not zeros in the whole batch.
    used: UsedColumns<T>,
}

impl<T: Real> SplitK<T> {
    /// Splits the product of `inputs` columns for batches of this size, or returns `None` where cutting by rows alone is as
    /// good: with one shard, without a dense layer at the start, or with so many rows that `Z` is as large as the weight.
    ///
    /// A block ends where a bucket does.
    pub(crate) fn new(
        plan: &Plan,
        cache: &SequentialCache<T>,
        inputs: usize,
        Cut { batch, shards }: Cut,
    ) -> Option<Self> {
        let weight =
            cache.lead().filter(|weight| weight.start == 0 && inputs > 0 && buckets::defers(plan))?;
        // Most of what is not 0 is elsewhere in each sample.
        if cache.tables().any(|(_, table)| table == weight) {
            return None;
        }
        let units = weight.len() / inputs;
        let step = buckets::rows_of_first(units);
        if shards < 2 || inputs / 2 < batch || inputs / 2 < step.saturating_mul(shards) {
            return None;
        }
        let end = |blocks: usize| {
            if blocks == shards {
                inputs
            } else {
                (inputs * blocks + step * shards / 2) / (step * shards) * step
            }
        };
        let block = |index| ColumnBlock {
            columns: end(index)..end(index + 1),
            x: Buffer::default(),
            z: Buffer::default(),
            row: Buffer::zeros(inputs),
            largest: 0.0,
            used: UsedColumns::default(),
        };
        Some(Self { units, weight, blocks: (0..shards).map(block).collect() })
    }

    /// The end, in the flat parameters, of the rows of the weight that belong to the first `blocks` blocks.
    pub(crate) fn end(&self, blocks: usize) -> usize {
        self.blocks[..blocks].last().map_or(0, |block| block.columns.end * self.units)
    }

    /// The first column of the samples that belongs to these blocks, and the one after their last.
    pub(crate) fn columns(&self, blocks: Range<usize>) -> (usize, usize) {
        let blocks = &self.blocks[blocks];
        let start = blocks.first().map_or(0, |block| block.columns.start);
        let end = blocks.last().map_or(0, |block| block.columns.end);
        (start, end)
    }

    /// The largest absolute value of all samples of the batch.
    pub(crate) fn largest(&self) -> f64 {
        self.blocks.iter().map(|block| block.largest).fold(0.0, vector::larger_or_nan)
    }

    /// Writes `Z` for these rows of the batch: the sum over the blocks, in order.
    pub(crate) fn sum(&self, rows: Range<usize>, mut z: ArrayViewMut2<'_, T>) {
        let _flush = FlushDenormals::new();
        let [first, second, rest @ ..] = &self.blocks[..] else {
            unreachable!("there are at least two blocks")
        };
        let a = first.z(&rows, self.units);
        let b = second.z(&rows, self.units);
        let sum = z.view_mut();
        map!(sum = |a, b| a + b);
        for next in rest {
            vector::accumulate(next.z(&rows, self.units), z.view_mut());
        }
    }

    /// A sample of the last pass, in the parts that the blocks have of it.
    pub(crate) fn sample(&self, row: usize) -> impl Iterator<Item = &[T]> {
        self.blocks.iter().map(move |ColumnBlock { columns, x, .. }| {
            let width = columns.len();
            &x[row * width..(row + 1) * width]
        })
    }

    /// These columns of the samples, for these rows of the batch. The columns belong to one block.
    pub(crate) fn x(&self, rows: Range<usize>, columns: Range<usize>) -> ArrayView2<'_, T> {
        let (ColumnBlock { columns: own, x, .. }, columns) = self.block(columns);
        x.matrix(rows.end, own.len()).slice_move(s![rows, columns])
    }

    /// Which columns the batch uses, and which of them these columns of the samples are. The columns belong to one block.
    pub(crate) fn used(&self, columns: Range<usize>) -> (&UsedColumns<T>, Range<usize>) {
        let (block, columns) = self.block(columns);
        (&block.used, columns)
    }

    /// The block of these columns, and which of its columns they are.
    fn block(&self, columns: Range<usize>) -> (&ColumnBlock<T>, Range<usize>) {
        let index = self.blocks.partition_point(|block| block.columns.end <= columns.start);
        let block = &self.blocks[index];
        let first = block.columns.start;
        (block, columns.start - first..columns.end - first)
    }
}

/// Into how many shards a batch of which size is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    pub(crate) batch: usize,
    pub(crate) shards: usize,
}

impl<T: Real> ColumnBlock<T> {
    /// Its product, for these rows of the batch.
    fn z(&self, rows: &Range<usize>, units: usize) -> ArrayView2<'_, T> {
        self.z.matrix(rows.end, units).slice_move(s![rows.clone(), ..])
    }

    /// Gathers its columns of the whole batch, and multiplies them with its rows of the weight. The targets of `rows` are
    /// kept.
    pub(crate) fn run<Y: Clone + Send + Sync>(
        &mut self,
        pass: &Pass<'_, T, Y>,
        rows: Range<usize>,
        targets: &mut Vec<Y>,
        units: usize,
    ) {
        let Self { columns, x, z, row, largest, used } = self;
        let count = pass.samples.len();
        let width = columns.len();
        x.reserve(count * width);
        z.reserve(count * units);
        targets.clear();
        used.begin(width, units);
        let mut position = 0;
        let few = UsedColumns::<T>::ROWS;
        for (x, samples) in x[..count * width].chunks_mut(few * width).zip(pass.samples.chunks(few)) {
            for (part, &index) in x.chunks_exact_mut(width).zip(samples) {
                let target = pass.data.read_part(index as usize, columns.clone(), part, row);
                if rows.contains(&position) {
                    targets.push(target);
                }
                position += 1;
            }
            used.look(x);
        }
        // The data set reads with the caller's treatment of denormal numbers.
        let _flush = FlushDenormals::new();
        *largest = used.end().as_f64();
        let weight = &pass.params[columns.start * units..columns.end * units];
        let w = ArrayView2::from_shape((width, units), weight).expect("the values of the block");
        let (x, z) = (x.matrix(count, width), z.matrix_mut(count, units));
        match pass.finite {
            true => used.product(x, w, z), // Zₚ = Xₚ Wₚ
            false => gemm(T::one(), x, w, T::zero(), z),
        }
    }
}
