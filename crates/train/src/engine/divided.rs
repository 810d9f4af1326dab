//! The sum of the gradients and the update where each member of a group has a [part](super::parts) of the optimizer's state.
//!
//! The sums are completed as [`group_sum`](super::group_sum) does it. The last member keeps those of its own part, and sends the others to
//! those whose part they belong to. Gradients that are products of few rows do not travel at all: their operands are
//! [gathered](super::gathered) before, and each member computes those of its part. It updates its parameters, some buckets at a time, and
//! sends them to all others while it works on the next ones.
//!
//! With n members and P bytes of parameters one sends P of its sums, the last one at most P (n - 1) / n of those of all, and each P / n of new
//! parameters to n - 1 others: less than 2 P. What is gathered is less than the sums that it replaces.

use std::ops::Range;

use chainrule_core::ParamKind;
use chainrule_tensor::Real;

use super::buckets::{Bucket, range_of};
use super::gathered::Gathered;
use super::group_sum::{Addends, add_pass};
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
    /// Of products whose gradients do not travel.
    pub(crate) gathered: &'a Gathered<T>,
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
        let Self { addends, parts, gathered } = self;
        let &Addends { members, buckets, shares, .. } = addends;
        let (rank, last) = (members.rank(), members.size() - 1);
        let own = parts.of(rank, buckets);
        let mut finish = |run: &[Bucket], total: &mut [T], of_pass: &[T], scratch: &mut [Scratch<T>]| {
            add_pass(run, total, of_pass, shares);
            match &mut changed {
                Some(changed) => self.update(run, total, changed, scratch),
                None => Ok(()),
            }
        };
        for owner in 0..=last {
            for run in gathered.travelling(parts.of(owner, buckets)) {
                let values = if shares.first { &mut *total } else { &mut *of_pass };
                let values = &mut values[range_of(run)];
                if !addends.pass_on(run, values, scratch)? {
                    continue;
                }
                if owner == last {
                    finish(run, total, of_pass, scratch)?;
                } else {
                    members.send_numbers(&[owner], Kind::Sum, values)?;
                }
            }
        }
        for run in gathered.computed(own) {
            let values = if shares.first { &mut *total } else { &mut *of_pass };
            addends.add_own(run, &mut values[range_of(run)], false, Some(gathered), scratch);
            finish(run, total, of_pass, scratch)?;
        }
        if rank != last {
            for run in gathered.travelling(own) {
                let values = if shares.first { &mut *total } else { &mut *of_pass };
                members.receive_numbers(last, Kind::Sum, &mut values[range_of(run)])?;
                finish(run, total, of_pass, scratch)?;
            }
        }
        let Some(Changed { params, .. }) = changed else { return Ok(()) };
        for owner in members.others() {
            let of_owner = parts.of(owner, buckets);
            let mut receive =
                |run| members.receive_numbers(owner, Kind::Parameters, &mut params[range_of(run)]);
            // In the order in which they were finished.
            if owner == last {
                gathered.travelling(of_owner).try_for_each(&mut receive)?;
            }
            gathered.computed(of_owner).try_for_each(&mut receive)?;
            if owner != last {
                gathered.travelling(of_owner).try_for_each(&mut receive)?;
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
                watch.look_at_gradients(kind, values, start, largest_gradient());
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
        Reduce {
            phase: Phase::Update,
            order,
            tables: &[],
            shares,
            shards,
            split_k: None,
            gathered: None,
            used: None,
            next,
        }
        .run(of_run, scratch, threads);
        let others: Vec<usize> = members.others().collect();
        members.send_numbers(&others, Kind::Parameters, &params[range])
    }
}
