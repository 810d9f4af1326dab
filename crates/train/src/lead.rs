//! The first product of a model, cut by the columns of the samples.
//!
//! In a network that begins with a dense layer, most of the parameters are that layer's. Where a batch is cut by
//! rows alone, every thread reads all of them in every step, and has written only some itself: the others come from
//! the caches of other cores, which takes longer than the arithmetic. So each part takes some columns of all samples
//! instead, `Z = X₁ W₁ + X₂ W₂ + ...`, and its thread is the one that later computes the gradient of its rows of W
//! and updates them. What threads exchange is then `Z` and `dZ`, and not W.
//!
//! There are as many parts as shards, whoever works on them, and their products are added in order: so the number of
//! threads is not in the result.

use std::ops::Range;

use chainrule_data::Dataset;
use chainrule_tensor::{Buffer, FlushDenormals, Real, gemm, vector};
use ndarray::{ArrayView2, ArrayViewMut2, s};

use crate::shard::Pass;
use crate::{Model, pieces};

/// What is cut, and into what.
pub(crate) struct Lead<T: Real> {
    /// Where the weight `[inputs, units]` lies in the flat parameters.
    pub(crate) weight: Range<usize>,
    pub(crate) units: usize,
    pub(crate) parts: Vec<Part<T>>,
}

/// Some columns of the samples, with the rows of the weight that they are multiplied with. It begins on a line of the
/// cache of its own, as a shard does.
#[repr(align(128))]
pub(crate) struct Part<T: Real> {
    columns: Range<usize>,
    /// These columns of the batch.
    x: Buffer<T>,
    /// Their product, `[rows of the batch, units]`.
    z: Buffer<T>,
    /// Room for a whole sample.
    row: Buffer<T>,
}

impl<T: Real> Lead<T> {
    /// The cut for batches of this size, or `None` where cutting by rows alone is as good: with one shard, without a
    /// dense layer at the start, or with so many rows that `Z` is as large as the weight.
    ///
    /// It is made between pieces of the descent.
    pub(crate) fn new(model: &Model<T>, batch: usize, shards: usize) -> Option<Self> {
        let inputs = model.input().size();
        let weight = model.cache.lead().filter(|weight| weight.start == 0 && pieces::defers(model.plan()))?;
        let step = pieces::rows_of_lead(weight.len() / inputs);
        if shards < 2 || inputs / 2 < batch || inputs / 2 < step.saturating_mul(shards) {
            return None;
        }
        let end = |parts: usize| match parts == shards {
            true => inputs,
            false => (inputs * parts + step * shards / 2) / (step * shards) * step,
        };
        let part = |position| Part {
            columns: end(position)..end(position + 1),
            x: Buffer::default(),
            z: Buffer::default(),
            row: Buffer::zeros(inputs),
        };
        Some(Self { units: weight.len() / inputs, weight, parts: (0..shards).map(part).collect() })
    }

    /// How many parts there are.
    pub(crate) fn count(&self) -> usize {
        self.parts.len()
    }

    /// Where the rows of the weight of the first `parts` parts end in the flat parameters.
    pub(crate) fn end(&self, parts: usize) -> usize {
        self.parts[..parts].last().map_or(0, |part| part.columns.end * self.units)
    }

    /// The columns of the samples that belong to these parts.
    pub(crate) fn columns(&self, parts: Range<usize>) -> (usize, usize) {
        let parts = &self.parts[parts];
        let edge = |part: Option<&Part<T>>, end: fn(&Range<usize>) -> usize| {
            part.map_or(0, |part| end(&part.columns))
        };
        (edge(parts.first(), |columns| columns.start), edge(parts.last(), |columns| columns.end))
    }

    /// `Z` for these rows of the batch: the sum over the parts, in order.
    pub(crate) fn sum(&self, rows: Range<usize>, mut z: ArrayViewMut2<'_, T>) {
        let [first, second, rest @ ..] = &self.parts[..] else {
            unreachable!("there are at least two parts")
        };
        vector::map2(
            first.z(&rows, self.units),
            second.z(&rows, self.units),
            z.view_mut(),
            #[inline(always)]
            |a, b| a + b,
        );
        for next in rest {
            vector::accumulate(next.z(&rows, self.units), z.view_mut());
        }
    }

    /// The columns of the samples from `first` on, for these rows of the batch. They must be of one part.
    pub(crate) fn x(&self, rows: Range<usize>, columns: Range<usize>) -> ArrayView2<'_, T> {
        let part = self.parts.partition_point(|part| part.columns.end <= columns.start);
        let Part { columns: own, x, .. } = &self.parts[part];
        let columns = columns.start - own.start..columns.end - own.start;
        x.matrix(rows.end, own.len()).slice_move(s![rows, columns])
    }
}

impl<T: Real> Part<T> {
    /// Its product, for these rows of the batch.
    fn z(&self, rows: &Range<usize>, units: usize) -> ArrayView2<'_, T> {
        self.z.matrix(rows.end, units).slice_move(s![rows.clone(), ..])
    }

    /// Gathers its columns of the whole batch, and multiplies. The targets of `rows` are kept.
    pub(crate) fn run<D: Dataset<T>>(
        &mut self,
        pass: &Pass<'_, T, D, D::Target>,
        rows: Range<usize>,
        targets: &mut Vec<D::Target>,
        units: usize,
    ) {
        let _flush = FlushDenormals::new();
        let Self { columns, x, z, row } = self;
        let (count, width) = (pass.samples.len(), columns.len());
        x.reserve(count * width);
        z.reserve(count * units);
        targets.clear();
        for (position, (part, &index)) in x.chunks_exact_mut(width).zip(pass.samples).enumerate() {
            let target = pass.data.read_part(index as usize, columns.clone(), part, row);
            if rows.contains(&position) {
                targets.push(target);
            }
        }
        let weight = &pass.params[columns.start * units..columns.end * units];
        let w = ArrayView2::from_shape((width, units), weight).expect("as many values");
        gemm(T::one(), x.matrix(count, width), w, T::zero(), z.matrix_mut(count, units)); // Zₚ = Xₚ Wₚ
    }
}
