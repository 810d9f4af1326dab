//! The operands of products whose gradients are summed where they are needed (Xie et al. 2016, sufficient factor broadcasting).
//!
//! The gradient of a weight, `dW = Xᵀ dZ`, has as many numbers as the weight, and a row of X with one of dZ only as many as the weight has
//! rows and columns together. Where a pass has few rows, the members of a group tell each other those instead of sums. Each then computes the
//! gradient of its [part](super::parts), one shard after the other, in the order of all: no sum travels from member to member.

use std::ops::Range;

use chainrule_tensor::{Buffer, Real, UsedColumns};
use ndarray::ArrayView2;

use super::buckets::{Bucket, Buckets, GradSource, runs};
use super::members::{Kind, Members};
use super::pass::rows_of_shard;
use super::shard::Shard;
use super::split_k::SplitK;
use crate::group::GroupError;

/// The operands of some stages, of all shards of a pass.
#[derive(Debug, Default)]
pub(crate) struct Gathered<T: Real> {
    /// Each with the columns of its X and of its dZ.
    stages: Vec<(usize, [usize; 2])>,
    /// Those of the last pass: the first one is left out where its samples are stored without their zeros.
    used: Vec<(usize, [usize; 2])>,
    /// Those of each member, as they are sent: of each of its shards X and dZ of each stage, one after the other.
    of_members: Vec<Buffer<T>>,
    /// Where those of each shard are.
    places: Vec<Place>,
    /// The columns of the samples of each shard that are not zeros.
    columns: Vec<UsedColumns<T>>,
    /// Whether all gradients of the last pass are finite, those of other members included.
    are_finite: bool,
    /// How many parameters travel together.
    run_len: usize,
}

/// Where the operands of a shard are.
#[derive(Clone, Debug, Default)]
struct Place {
    member: usize,
    values: Range<usize>,
    rows: usize,
    /// Whether the columns of its samples were looked at and are fewer than all.
    has_columns: bool,
}

/// A pass whose operands are exchanged.
#[derive(Clone, Copy)]
pub(crate) struct PassOfAll {
    /// The number of its rows, over all members.
    pub(crate) rows: usize,
    pub(crate) has_sparse_samples: bool,
    /// A bound of all its gradients, over all members.
    pub(crate) largest_grad: f64,
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
pub(crate) fn columns(stages: &[(usize, [usize; 2])]) -> usize {
    stages.iter().map(|(_, [a, b])| a + b).sum()
}

impl<T: Real> Gathered<T> {
    /// For these stages, so many shards, and parameters of which so many travel together.
    pub(crate) fn of_stages(stages: Vec<(usize, [usize; 2])>, shards: usize, run_len: usize) -> Self {
        let places = vec![Place::default(); shards];
        let columns = vec![UsedColumns::default(); shards];
        Self {
            used: stages.clone(),
            stages,
            of_members: Vec::new(),
            places,
            columns,
            are_finite: false,
            run_len,
        }
    }

    /// The memory for the operands of a member.
    pub(crate) fn memory(&mut self, member: usize) -> &mut Buffer<T> {
        if self.of_members.len() <= member {
            self.of_members.resize_with(member + 1, Buffer::default);
        }
        &mut self.of_members[member]
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

    /// Tells the other members the operands of the own shards, and takes up theirs.
    pub(crate) fn exchange<Y>(
        &mut self,
        members: &Members,
        shards: &[Shard<T, Y>],
        split_k: Option<&SplitK<T>>,
        pass: PassOfAll,
    ) -> Result<(), GroupError> {
        let PassOfAll { rows, has_sparse_samples, largest_grad } = pass;
        let Self { stages, used, places, of_members, .. } = self;
        used.clear();
        used.extend(stages.iter().filter(|&&(stage, _)| stage > 0 || !has_sparse_samples));
        self.are_finite = largest_grad.is_finite();
        if used.is_empty() {
            return Ok(());
        }
        let columns = columns(used);
        let count = places.len();
        let lens = (0..members.size()).map(|member| {
            let mut end = 0;
            for shard in members.shards_of(member) {
                let rows = rows_of_shard(rows, shard, count).len();
                let start = end;
                end += rows * columns;
                places[shard] = Place { member, values: start..end, rows, has_columns: false };
            }
            end
        });
        let lens: Vec<usize> = lens.collect();
        for (memory, &len) in of_members.iter_mut().zip(&lens) {
            memory.reserve(len);
        }
        let mut own = std::mem::take(&mut of_members[members.rank()]);
        let mut rest = &mut own[..];
        let mut write = |values: &[T]| {
            let (place, after) = std::mem::take(&mut rest).split_at_mut(values.len());
            place.copy_from_slice(values);
            rest = after;
        };
        for index in members.own().filter(|&index| !shards[index].is_empty()) {
            for &(stage, _) in &*used {
                let (x, dz) = shards[index].operands(stage);
                // Row by row, as they are stored.
                match split_k.filter(|_| stage == 0) {
                    Some(split_k) => rows_of_shard(rows, index, count)
                        .for_each(|row| split_k.sample(row).for_each(&mut write)),
                    None => write(x.as_standard_layout().as_slice().unwrap_or_default()),
                }
                write(dz.as_standard_layout().as_slice().unwrap_or_default());
            }
        }
        let exchanged = members.lend(&mut |lent| {
            lent.send_to_others(Kind::Operands, &own[..lens[members.rank()]])?;
            members.others().try_for_each(|member| {
                members.receive_numbers(member, Kind::Operands, &mut of_members[member][..lens[member]])
            })
        });
        of_members[members.rank()] = own;
        exchanged?;
        (0..self.places.len()).for_each(|shard| self.look(shard));
        Ok(())
    }

    /// Looks for columns of the samples of a shard that are zeros.
    fn look(&mut self, shard: usize) {
        let Some((x, dz)) = self.operands(0, shard) else { return };
        let (inputs, units) = (x.ncols(), dz.ncols());
        let Place { member, values: Range { start, .. }, rows, .. } = self.places[shard];
        let x = &self.of_members[member][start..start + rows * inputs];
        if !UsedColumns::may_be_fewer(&x[..inputs]) {
            return;
        }
        let columns = &mut self.columns[shard];
        columns.find(x, inputs, units);
        self.places[shard].has_columns = columns.are_fewer();
    }

    /// The X and the dZ of a stage in a shard; `None` if it has no rows, or if those of this stage are not told.
    pub(crate) fn operands(
        &self,
        stage: usize,
        shard: usize,
    ) -> Option<(ArrayView2<'_, T>, ArrayView2<'_, T>)> {
        let Place { member, values, rows, .. } = &self.places[shard];
        let &(_, [a, b]) = self.used.iter().find(|&&(known, _)| known == stage)?;
        let before = self.used.iter().take_while(|&&(known, _)| known != stage);
        let start = rows * before.map(|(_, [a, b])| a + b).sum::<usize>();
        let values = self.of_members.get(*member)?.get(values.clone())?;
        let (x, dz) = values.get(start..start + rows * (a + b))?.split_at(rows * a);
        let of = |columns, values| ArrayView2::from_shape((*rows, columns), values).ok();
        (*rows > 0).then_some(())?;
        Some((of(a, x)?, of(b, dz)?))
    }

    /// The columns of the samples of a shard that are not zeros, if they were looked for and it pays to leave out the others.
    pub(crate) fn used_columns(&self, shard: usize) -> Option<&UsedColumns<T>> {
        self.places[shard].has_columns.then(|| &self.columns[shard])
    }

    /// Whether all gradients of the pass are finite.
    pub(crate) fn are_finite(&self) -> bool {
        self.are_finite
    }
}
