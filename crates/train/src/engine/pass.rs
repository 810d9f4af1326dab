//! The input of one pass over a batch, shared by all threads.

use std::ops::Range;

use chainrule_core::{Mode, Sequential};
use chainrule_data::Samples;
use chainrule_losses::Loss;

/// The samples of one step.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// Its number in the epoch, from 0.
    pub(crate) index: usize,
    /// The indices of all samples of the batch.
    pub(crate) samples: &'a [u32],
    /// Those of the batch after it, to prefetch; empty in an evaluation.
    pub(crate) next: &'a [u32],
}

impl<'a> Batch<'a> {
    /// The parts of a batch that is computed in so many passes, each with its first row.
    pub(crate) fn parts(self, passes: usize) -> impl Iterator<Item = (usize, Self)> {
        let Self { index, samples, next } = self;
        let rows = samples.len().div_ceil(passes.max(1)).max(1);
        samples
            .chunks(rows)
            .enumerate()
            .map(move |(part, samples)| (part * rows, Self { index, samples, next }))
    }
}

/// What every shard of a pass reads.
pub(crate) struct Pass<'a, T, Y> {
    pub(crate) layers: &'a Sequential<T>,
    pub(crate) params: &'a [T],
    pub(crate) loss: &'a dyn Loss<T, Y>,
    pub(crate) data: &'a (dyn Samples<T, Target = Y> + 'a),
    /// The indices of all samples of the batch.
    pub(crate) samples: &'a [u32],
    pub(crate) mode: Mode,
    /// Whether gradients that are products, `dW = Xᵀ dZ`, are left to [`reduce`](super::reduce).
    pub(crate) deferred: bool,
    /// Whether the gradients of tables are lists of the rows that were used.
    pub(crate) sparse: bool,
    /// Whether all parameters are known to be finite, so that 0 times one of them is 0.
    pub(crate) finite: bool,
    /// The ranges of the other gradients, those of frozen parameters left out.
    pub(crate) of_shards: &'a [Range<usize>],
}

/// The rows of a batch of `rows` that belong to one of `count` shards, whose sizes differ by at most one.
pub(crate) fn rows_of_shard(rows: usize, shard: usize, count: usize) -> Range<usize> {
    rows * shard / count..rows * (shard + 1) / count
}
