//! The first product of a network, split along K: by the columns of the samples.
//!
//! In a network that begins with a dense layer, most parameters are that layer's. Where a batch is cut by rows alone, every
//! thread reads all of them in every step, but has written only some: the others come from the caches of other cores, which
//! takes longer than the arithmetic. So each block takes some columns of all samples instead, `Z = X₁ W₁ + X₂ W₂ + ...`, and
//! its thread later computes the gradient of the same rows of W and updates them. What threads exchange is then `Z` and
//! `dZ`, not W. A matrix product split along its inner dimension K is called split-K.
//!
//! There are as many blocks as shards, and their products are added in order, so the number of threads is no part of the
//! result. Where several processes may share the shards, a block multiplies the rows of each shard by themselves, and one of several processes
//! has all blocks, with its rows alone.

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
    /// Whether the rows of each shard are multiplied by themselves.
    by_shard: bool,
    /// The rows of the batch that the blocks have in the last pass, which are multiplied together.
    pub(crate) parts: Vec<Range<usize>>,
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
    /// Those that are not zeros, for each part of the rows.
    used: Vec<UsedColumns<T>>,
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
        Cut { batch, shards, by_shard }: Cut,
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
            used: vec![UsedColumns::default(); if by_shard { shards } else { 1 }],
        };
        let parts = Vec::with_capacity(shards);
        Some(Self { units, weight, blocks: (0..shards).map(block).collect(), by_shard, parts })
    }

    /// Begins a pass over the rows of these shards, which follow each other.
    pub(crate) fn begin(&mut self, shards: impl Iterator<Item = Range<usize>>) {
        self.parts.clear();
        for rows in shards.filter(|rows| !rows.is_empty()) {
            match self.parts.last_mut() {
                Some(all) if !self.by_shard => all.end = rows.end,
                _ => self.parts.push(rows),
            }
        }
    }

    /// The first row of the batch that the blocks have.
    pub(crate) fn first_row(&self) -> usize {
        self.parts.first().map_or(0, |rows| rows.start)
    }

    /// Which of the rows of the blocks these rows of the batch are.
    fn local(&self, Range { start, end }: Range<usize>) -> Range<usize> {
        start - self.first_row()..end - self.first_row()
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
        let rows = self.local(rows);
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
        let row = row - self.first_row();
        self.blocks.iter().map(move |ColumnBlock { columns, x, .. }| {
            let width = columns.len();
            &x[row * width..(row + 1) * width]
        })
    }

    /// These columns of the samples, for these rows of the batch. The columns belong to one block.
    pub(crate) fn x(&self, rows: Range<usize>, columns: Range<usize>) -> ArrayView2<'_, T> {
        let (ColumnBlock { columns: own, x, .. }, columns) = self.block(columns);
        let rows = self.local(rows);
        x.matrix(rows.end, own.len()).slice_move(s![rows, columns])
    }

    /// Which columns the part of the batch with this row uses, and which of them these columns of the samples are. The columns belong to one
    /// block.
    pub(crate) fn used(&self, row: usize, columns: Range<usize>) -> (&UsedColumns<T>, Range<usize>) {
        let (block, columns) = self.block(columns);
        let part = self.parts.partition_point(|rows| rows.end <= row);
        (&block.used[part], columns)
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
    /// Whether several processes may share them.
    pub(crate) by_shard: bool,
}

/// The rows of a shard, and where their targets are kept.
pub(crate) struct OfShard<'a, Y> {
    pub(crate) rows: Range<usize>,
    pub(crate) targets: &'a mut Vec<Y>,
}

impl<T: Real> ColumnBlock<T> {
    /// Its product, for these rows of the batch.
    fn z(&self, rows: &Range<usize>, units: usize) -> ArrayView2<'_, T> {
        self.z.matrix(rows.end, units).slice_move(s![rows.clone(), ..])
    }

    /// Gathers its columns of these parts of the batch, which follow each other, and multiplies each with its rows of the weight. The targets of
    /// the rows of a shard are kept.
    pub(crate) fn run<Y: Clone + Send + Sync>(
        &mut self,
        pass: &Pass<'_, T, Y>,
        parts: &[Range<usize>],
        OfShard { rows, targets }: OfShard<'_, Y>,
        units: usize,
    ) {
        let Self { columns, x, z, row, largest, used } = self;
        let count = parts.iter().map(Range::len).sum::<usize>();
        let width = columns.len();
        x.reserve(count * width);
        z.reserve(count * units);
        targets.clear();
        *largest = 0.0;
        let weight = &pass.params[columns.start * units..columns.end * units];
        let w = ArrayView2::from_shape((width, units), weight).expect("the values of the block");
        let few = UsedColumns::<T>::ROWS;
        let mut first = 0;
        for (part, used) in parts.iter().zip(used) {
            used.begin(width, units);
            let rows_of_part = first..first + part.len();
            first = rows_of_part.end;
            let mut position = part.start;
            let x_of_part = &mut x[rows_of_part.start * width..rows_of_part.end * width];
            for (x, samples) in x_of_part.chunks_mut(few * width).zip(pass.samples[part.clone()].chunks(few))
            {
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
            *largest = vector::larger_or_nan(*largest, used.end().as_f64());
            let x = x.matrix(count, width).slice_move(s![rows_of_part.clone(), ..]);
            let z = z.matrix_mut(count, units).slice_move(s![rows_of_part, ..]);
            match pass.finite {
                true => used.product(x, w, z), // Zₚ = Xₚ Wₚ
                false => gemm(T::one(), x, w, T::zero(), z),
            }
        }
    }
}
