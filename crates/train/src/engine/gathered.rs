//! The operands of products whose gradients are summed where they are needed (Xie et al. 2016, sufficient factor broadcasting).
//!
//! The gradient of a weight, `dW = Xᵀ dZ`, has as many numbers as the weight, and a row of X with one of dZ only as many as the weight has
//! rows and columns together. Where a pass has few rows, the members of a group tell each other those instead of sums. Each then computes the
//! gradient of its [part](super::parts), one shard after the other, in the order of all: no sum travels from member to member.

use ndarray::ArrayView2;

use chainrule_tensor::{Buffer, Real};

use super::buckets::{Bucket, Buckets, GradSource, runs};
use super::members::{Kind, Members};
use super::pass::rows_of_shard;
use super::shard::Shard;
use crate::group::GroupError;
use crate::numbers;

/// The operands of some stages, of all shards of a pass.
#[derive(Debug, Default)]
pub(crate) struct Gathered<T> {
    /// Each with the columns of its X and of its dZ.
    stages: Vec<(usize, [usize; 2])>,
    /// Those of the last pass: the first one is left out where its samples are stored without their zeros.
    used: Vec<(usize, [usize; 2])>,
    /// Those of each shard of another member: X and dZ of each stage, one after the other.
    of_shards: Vec<Buffer<T>>,
    /// The rows of the pass.
    rows: usize,
    /// How many parameters travel together.
    run_len: usize,
}

/// The stages with weights for which a row has fewer numbers than its share of the weight, in passes of up to so many rows, each with
/// the columns of its X and of its dZ.
pub(crate) fn stages(buckets: &Buckets, rows: usize) -> Vec<(usize, [usize; 2])> {
    let mut stages: Vec<(usize, [usize; 2])> = Vec::new();
    for &Bucket { start, end, source, .. } in buckets.fixed() {
        let GradSource::Product { stage, first_row, columns } = source else { continue };
        let inputs = first_row + (end - start) / columns;
        match stages.last_mut() {
            Some((last, [of_x, _])) if *last == stage => *of_x = inputs,
            _ => stages.push((stage, [inputs, columns])),
        }
    }
    stages.retain(|(_, [a, b])| rows.saturating_mul(a + b) < a * b);
    stages
}

/// The number of values that a row has in these stages.
fn columns(stages: &[(usize, [usize; 2])]) -> usize {
    stages.iter().map(|(_, [a, b])| a + b).sum()
}

impl<T: Real> Gathered<T> {
    /// For these stages, so many shards, and parameters of which so many travel together.
    pub(crate) fn of_stages(stages: Vec<(usize, [usize; 2])>, shards: usize, run_len: usize) -> Self {
        let of_shards = (0..shards).map(|_| Buffer::default()).collect();
        Self { used: stages.clone(), stages, of_shards, rows: 0, run_len }
    }

    /// The memory for a shard of another member, and the number of values that it is to have for so many rows.
    pub(crate) fn memory(&mut self, shard: usize, rows: usize) -> (&mut Buffer<T>, usize) {
        (&mut self.of_shards[shard], rows.saturating_mul(columns(&self.stages)))
    }

    /// The number of values of a row; 0 if there is nothing to tell.
    pub(crate) fn columns(&self) -> usize {
        columns(&self.used)
    }

    /// Runs of these buckets whose gradients are computed from them.
    pub(crate) fn computed<'a>(&self, buckets: &'a [Bucket]) -> impl Iterator<Item = &'a [Bucket]> {
        self.split(buckets, true)
    }

    /// Runs of these buckets whose gradients travel, as sums.
    pub(crate) fn travelling<'a>(&self, buckets: &'a [Bucket]) -> impl Iterator<Item = &'a [Bucket]> {
        self.split(buckets, false)
    }

    fn split<'a>(&self, buckets: &'a [Bucket], computed: bool) -> impl Iterator<Item = &'a [Bucket]> {
        let run_len = self.run_len;
        let alike = buckets.chunk_by(|a, b| self.has(a) == self.has(b));
        alike
            .filter(move |buckets| self.has(&buckets[0]) == computed)
            .flat_map(move |buckets| runs(buckets, run_len))
    }

    /// Whether the gradient of this bucket is computed from them.
    fn has(&self, bucket: &Bucket) -> bool {
        match bucket.source {
            GradSource::Product { stage, .. } => self.used.iter().any(|&(known, _)| known == stage),
            GradSource::Shards | GradSource::Table { .. } => false,
        }
    }

    /// Tells the other members the operands of the own shards, and takes up theirs, of a pass of so many rows.
    pub(crate) fn exchange<Y>(
        &mut self,
        members: &Members,
        shards: &[Shard<T, Y>],
        rows: usize,
        has_sparse_samples: bool,
    ) -> Result<(), GroupError> {
        let Self { stages, used, of_shards, .. } = self;
        used.clear();
        used.extend(stages.iter().filter(|&&(stage, _)| stage > 0 || !has_sparse_samples));
        if used.is_empty() {
            return Ok(());
        }
        self.rows = rows;
        let others: Vec<usize> = members.others().collect();
        members.send(&others, Kind::Operands, |message| {
            for shard in shards[members.own()].iter().filter(|shard| !shard.is_empty()) {
                for &(stage, _) in &*used {
                    let (x, dz) = shard.operands(stage);
                    for matrix in [x, dz] {
                        // Row by row, as they are stored.
                        let matrix = matrix.as_standard_layout();
                        numbers::append(matrix.as_slice().unwrap_or_default(), message);
                    }
                }
            }
        })?;
        let columns = columns(used);
        for member in others {
            members.receive(member, Kind::Operands, |bytes| {
                let mut rest = bytes;
                for shard in members.shards_of(member) {
                    let len = rows_of_shard(rows, shard, of_shards.len()).len() * columns;
                    let (own, after) = rest.split_at_checked(len * size_of::<T>())?;
                    of_shards[shard].reserve(len);
                    numbers::numbers(own, &mut of_shards[shard][..len])?;
                    rest = after;
                }
                rest.is_empty().then_some(())
            })?;
        }
        Ok(())
    }

    /// The X and the dZ of a stage in a shard of another member; `None` if it has no rows.
    pub(crate) fn operands(
        &self,
        stage: usize,
        shard: usize,
    ) -> Option<(ArrayView2<'_, T>, ArrayView2<'_, T>)> {
        let rows = rows_of_shard(self.rows, shard, self.of_shards.len()).len();
        let before = self.used.iter().take_while(|&&(known, _)| known != stage);
        let start = rows * before.map(|(_, [a, b])| a + b).sum::<usize>();
        let &(_, [a, b]) = self.used.iter().find(|&&(known, _)| known == stage)?;
        let values = &self.of_shards[shard].get(start..start + rows * (a + b))?;
        let (x, dz) = values.split_at(rows * a);
        let of = |columns, values| ArrayView2::from_shape((rows, columns), values).ok();
        (rows > 0).then_some(())?;
        Some((of(a, x)?, of(b, dz)?))
    }
}
