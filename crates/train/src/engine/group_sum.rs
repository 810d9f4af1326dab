//! The sum of the gradients over the members of a group, in the order of the shards.
//!
//! The sums travel along the members in the order of their ranks, some buckets at a time: the first writes the sum of its shards, in their
//! order, and each of the others adds its own shards to it, one after the other. So each element is summed in exactly the order in
//! which one process sums it, and while a member adds to some buckets, the next one works on those before. From the last member the
//! sums then go round to all others. So a member sends no more than twice the bytes of the parameters.
//!
//! Gradients of tables that are lists travel as lists: the numbers of rows and their sums.

use chainrule_core::ParamKind;
use chainrule_tensor::{Buffer, Real};

use super::buckets::{Bucket, Buckets, GradSource, range_of, runs};
use super::gathered::Gathered;
use super::members::{Kind, Members};
use super::reduce::{Beside, BucketRange, Order, Phase, Reduce, Scratch, add_share};
use super::several_passes::Shares;
use super::shard::Shard;
use super::sparse::{RowRange, TableRows};
use super::split_k::SplitK;
use super::update::{Common, ParamBlock};
use crate::group::GroupError;

/// What the sum of a group is computed in. Empty without a group.
#[derive(Debug)]
pub(crate) struct GroupSum<T> {
    /// The sum of one pass, where there are several.
    pub(crate) pass: Buffer<T>,
    /// The gradients of tables that are lists, for each such table.
    pub(crate) tables: Vec<TableRows<T>>,
}

impl<T> Default for GroupSum<T> {
    fn default() -> Self {
        Self { pass: Buffer::default(), tables: Vec::new() }
    }
}

/// What is summed over a group.
pub(crate) struct Addends<'a, 'b, T: Real, Y> {
    pub(crate) members: &'a Members,
    pub(crate) shards: &'a [Shard<T, Y>],
    pub(crate) split_k: Option<&'a SplitK<T>>,
    pub(crate) buckets: &'a Buckets,
    pub(crate) common: &'a Common<'b, T>,
    /// The number of rows of the pass, over all members.
    pub(crate) rows: usize,
    pub(crate) shares: Shares,
    pub(crate) order: Order,
    pub(crate) threads: usize,
}

impl<T: Real, Y: Sync> Addends<'_, '_, T, Y> {
    /// Writes the gradients of all parameters to `total`, or adds their share to it. Those of tables that are lists are in `sum` then.
    pub(crate) fn run(
        &self,
        total: &mut [T],
        sum: &mut GroupSum<T>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let &Self { buckets, shares, .. } = self;
        let GroupSum { pass, tables } = sum;
        self.sum_tables(tables, &mut scratch[0])?;
        if shares.first {
            return self.sum_all(total, scratch);
        }
        self.sum_all(pass, scratch)?;
        add_pass(buckets.fixed(), total, pass, shares);
        Ok(())
    }

    /// Writes the sums of all buckets but those of tables.
    fn sum_all(&self, total: &mut [T], scratch: &mut [Scratch<T>]) -> Result<(), GroupError> {
        let &Self { members, .. } = self;
        let (rank, last) = (members.rank(), members.size() - 1);
        for buckets in runs(self.buckets.fixed(), self.buckets.run_len()) {
            let values = &mut total[range_of(buckets)];
            if self.pass_on(buckets, values, scratch)? && last > 0 {
                members.send_numbers(&[0], Kind::Sum, values)?;
            }
        }
        if rank == last {
            return Ok(());
        }
        let before = if rank == 0 { last } else { rank - 1 };
        for buckets in runs(self.buckets.fixed(), self.buckets.run_len()) {
            let values = &mut total[range_of(buckets)];
            members.receive_numbers(before, Kind::Sum, values)?;
            if rank + 1 < last {
                members.send_numbers(&[rank + 1], Kind::Sum, values)?;
            }
        }
        Ok(())
    }

    /// Adds the shards of this member to the sums of those before it, in `values`, and sends them to the next one. Whether they are complete,
    /// as in the last one.
    pub(super) fn pass_on(
        &self,
        buckets: &[Bucket],
        values: &mut [T],
        scratch: &mut [Scratch<T>],
    ) -> Result<bool, GroupError> {
        let &Self { members, rows, .. } = self;
        let (rank, last) = (members.rank(), members.size() - 1);
        let first = members.first_with_rows(rows);
        if rank > first {
            members.receive_numbers(rank - 1, Kind::PartialSum, values)?;
        }
        if members.has_rows(rank, rows) {
            self.add_own(buckets, values, rank > first, None, scratch);
        }
        if rank >= first && rank < last {
            members.send_numbers(&[rank + 1], Kind::PartialSum, values)?;
        }
        Ok(rank == last)
    }

    /// Writes the sums over the shards of this member, and of those whose operands are gathered, or adds them to `values`.
    pub(super) fn add_own(
        &self,
        buckets: &[Bucket],
        values: &mut [T],
        continued: bool,
        gathered: Option<&Gathered<T>>,
        scratch: &mut [Scratch<T>],
    ) {
        let &Self { shards, split_k, common, order, threads, .. } = self;
        let offset = buckets[0].start;
        let block = ParamBlock { common, offset, params: &mut [], state_offset: 0, state: &mut [] };
        let range = BucketRange { buckets, block, total: values };
        let beside = gathered.map_or(Beside::of_first(split_k, None), Beside::Gathered);
        Reduce { beside, continued, ..Reduce::new(Phase::Reduce, order, shards) }
            .run(range, scratch, threads);
    }

    /// Sums the gradients of tables that are lists.
    fn sum_tables(&self, tables: &mut Vec<TableRows<T>>, scratch: &mut Scratch<T>) -> Result<(), GroupError> {
        let &Self { members, rows, shards, .. } = self;
        let (rank, last) = (members.rank(), members.size() - 1);
        let first = members.first_with_rows(rows);
        tables.clear();
        for bucket in self.buckets.fixed() {
            let &Bucket { start, end, kind, source, parameter, .. } = bucket;
            let GradSource::Table { stage, first_row, columns } = source else { continue };
            let range = RowRange { stage, first_row, start, end, columns, kind, parameter };
            let read = |bytes: &[u8]| TableRows::from_bytes(stage, columns, bytes);
            let mut sums = TableRows::new(stage);
            if rank > first {
                sums = members.receive(rank - 1, Kind::PartialSum, read)?;
            }
            if members.has_rows(rank, rows) {
                sums = scratch.sparse.sum(&range, shards, rank > first, &sums);
            }
            if rank >= first && rank < last {
                members.send(&[rank + 1], Kind::PartialSum, |message| sums.append_to(message))?;
            }
            if rank < last {
                sums = members.receive(if rank == 0 { last } else { rank - 1 }, Kind::Sum, read)?;
            }
            let next = if rank == last { 0 } else { rank + 1 };
            if next < last {
                members.send(&[next], Kind::Sum, |message| sums.append_to(message))?;
            }
            tables.push(sums);
        }
        Ok(())
    }
}

/// Adds the sums of a pass to those of the passes before, if there were any.
pub(super) fn add_pass<T: Real>(buckets: &[Bucket], total: &mut [T], of_pass: &[T], shares: Shares) {
    if shares.first {
        return;
    }
    for &Bucket { start, end, kind, .. } in buckets {
        let Shares { gradients, statistics, .. } = shares;
        let shares = if kind == ParamKind::Buffer { statistics } else { gradients };
        add_share(&of_pass[start..end], &mut total[start..end], shares);
    }
}
