//! The sum of the gradients and the update where each member of a group has a [part](super::parts) of the optimizer's state.
//!
//! The sums are completed as [`group_sum`](super::group_sum) does it. The last member keeps those of its own part, and sends the others to
//! those whose part they belong to. Each updates its parameters, some buckets at a time, and sends them to all others. With n members
//! and P bytes of parameters one sends P of its sums, the last one at most P (n - 1) / n of those of all, and each P / n of new parameters to
//! n - 1 others: less than 2 P.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_tensor::Real;

use super::buckets::Bucket;
use super::careful::{Watch, Watched};
use super::group_sum::{Addends, add_pass, range_of, runs};
use super::members::Kind;
use super::parts::{Part, Parts};
use super::prefetch::NextSamples;
use super::range::largest_gradient;
use super::reduce::{BucketRange, Order, Phase, Reduce, Scratch};
use super::several_passes::Shares;
use super::update::ParamBlock;
use crate::group::GroupError;

/// What is summed, and who updates it.
pub(crate) struct DividedSum<'a, 'b, T: Real, Y> {
    pub(crate) addends: Addends<'a, 'b, T, Y>,
    pub(crate) parts: &'a Parts,
}

/// What a step changes.
pub(crate) struct Changed<'a, T> {
    /// All parameters.
    pub(crate) params: &'a mut [T],
    /// The state of the part of this member.
    pub(crate) state: &'a mut [T],
    pub(crate) part: &'a Part,
}

impl<T: Real, Y: Sync> DividedSum<'_, '_, T, Y> {
    /// Writes the gradients of the parameters of this member to `total`, or adds their share to it, and takes the optimizer's step if there is
    /// something that it is to change. What is elsewhere in `total` means nothing.
    pub(crate) fn run(
        &self,
        total: &mut [T],
        of_pass: &mut [T],
        mut changed: Option<Changed<'_, T>>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let Self { addends, parts } = self;
        let &Addends { members, buckets, shares, .. } = addends;
        let (rank, last) = (members.rank(), members.size() - 1);
        let mut finish = |buckets: &[Bucket], total: &mut [T], scratch: &mut [Scratch<T>]| match &mut changed
        {
            Some(changed) => self.update(buckets, total, changed, scratch),
            None => Ok(()),
        };
        for owner in 0..=last {
            for run in runs(parts.of(owner, buckets)) {
                let range = range_of(run);
                let values = if shares.first { &mut total[range] } else { &mut of_pass[range] };
                if !addends.pass_on(run, values, scratch)? {
                    continue;
                }
                if owner != last {
                    members.send_numbers(&[owner], Kind::Sum, values)?;
                    continue;
                }
                add_pass(run, total, of_pass, shares);
                finish(run, total, scratch)?;
            }
        }
        if rank != last {
            for run in runs(parts.of(rank, buckets)) {
                let range = range_of(run);
                let values = if shares.first { &mut total[range] } else { &mut of_pass[range] };
                members.receive_numbers(last, Kind::Sum, values)?;
                add_pass(run, total, of_pass, shares);
                finish(run, total, scratch)?;
            }
        }
        let Some(Changed { params, .. }) = changed else { return Ok(()) };
        for owner in members.others() {
            for run in runs(parts.of(owner, buckets)) {
                let values = &mut params[range_of(run)];
                members.receive_numbers(owner, Kind::Parameters, values)?;
            }
        }
        Ok(())
    }

    /// Takes the optimizer's step for some buckets, whose gradients are in `total`, and sends the parameters to all others.
    fn update(
        &self,
        buckets: &[Bucket],
        total: &mut [T],
        Changed { params, state, part }: &mut Changed<'_, T>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let &Addends { members, shards, common, threads, .. } = &self.addends;
        let range = range_of(buckets);
        let first_state = buckets[0].state;
        for &Bucket { start, end, kind, .. } in buckets {
            let values = &mut total[start..end];
            if let Some(watch) = common.watch {
                look_at_gradients(watch, kind, values, start);
            }
            if kind == ParamKind::Buffer {
                // The next value of a running statistic, which an optimizer could take for a gradient.
                params[start..end].copy_from_slice(values);
                values.fill(T::zero());
            }
        }
        let block = ParamBlock {
            common,
            offset: range.start,
            params: &mut params[range.clone()],
            state_offset: first_state,
            state: &mut state[first_state - part.state.start..],
        };
        let of_run = BucketRange { buckets, block, total: &mut total[range.clone()] };
        let nothing = |_: u32, _: Range<usize>| ();
        let next = NextSamples { prefetch: &nothing, samples: &[], columns: (0, 0) };
        let order = Order::ByShard { continued: false };
        let shares = Shares::ALL;
        Reduce { phase: Phase::Update, order, tables: &[], shares, shards, split_k: None, next }
            .run(of_run, scratch, threads);
        let others: Vec<usize> = members.others().collect();
        members.send_numbers(&others, Kind::Parameters, &params[range])
    }
}

/// Looks at the gradients of a bucket, in a careful step.
fn look_at_gradients<T: Real>(watch: &Watch, kind: ParamKind, values: &[T], start: usize) {
    let index = |position| start + position;
    match kind {
        ParamKind::Frozen => {}
        ParamKind::Buffer => watch.look(Watched::Statistic, values, T::max_value(), index),
        ParamKind::Weight | ParamKind::Bias => {
            watch.look(Watched::Gradient, values, largest_gradient(), index);
        }
    }
}
