//! The sum of the gradients and the update where each member of a group has a [part](super::parts) of the optimizer's state.
//!
//! The sums are completed as [`group_sum`](super::group_sum) does it. The last member keeps those of its own part, and sends the others to
//! those whose part they belong to. Gradients that are products of few rows do not travel at all: their operands are
//! [gathered](super::gathered) before, and each member computes those of its part. It updates its parameters, some buckets at a time, and
//! sends them to all others, from where they are, while it works on the next ones.
//!
//! With n members and P bytes of parameters one sends P of its sums, the last one at most P (n - 1) / n of those of all, and each P / n of new
//! parameters to n - 1 others: less than 2 P. What is gathered is less than the sums that it replaces.

use std::ops::Range;

use chainrule_tensor::Real;

use super::buckets::{Bucket, range_of};
use super::gathered::Gathered;
use super::group_sum::{Addends, add_pass};
use super::members::{Kind, LentNumbers};
use super::parts::{Part, Parts};
use super::range::largest_gradient;
use super::reduce::{Beside, BucketRange, Order, Phase, Reduce, Scratch};
use super::update::{ParamBlock, take_statistics};
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

/// The parameters of a step, run by run, so that some can be sent from where they are while others are updated.
struct Runs<'env, T> {
    starts: Vec<usize>,
    params: Vec<Option<&'env mut [T]>>,
}

impl<'env, T> Runs<'env, T> {
    /// Cuts the parameters into runs, which are in order.
    fn new(mut params: &'env mut [T], runs: &[Range<usize>]) -> Self {
        let mut end_before = 0;
        let cut = |&Range { start, end }: &Range<usize>| {
            let (_, rest) = std::mem::take(&mut params).split_at_mut(start - end_before);
            let (run, rest) = rest.split_at_mut(end - start);
            (params, end_before) = (rest, end);
            Some(run)
        };
        Self { params: runs.iter().map(cut).collect(), starts: runs.iter().map(|run| run.start).collect() }
    }

    /// The parameters of a run, which is taken once.
    fn take(&mut self, run: &[Bucket]) -> &'env mut [T] {
        let index = self.starts.binary_search(&run[0].start);
        index.ok().and_then(|index| self.params[index].take()).expect("each run is updated or received once")
    }
}

/// The step of this member.
struct OwnStep<'a, 'env, T: Real> {
    runs: Runs<'env, T>,
    state: &'a mut [T],
    part: &'a Part,
    lent: LentNumbers<'a, 'env>,
}

impl<T: Real, Y: Sync> DividedSum<'_, '_, T, Y> {
    /// Writes the gradients of the parameters of this member to `total`, or adds their share to it, and takes the optimizer's step if there is
    /// something that it is to change; those that are computed from operands in the only pass of a step go into the step alone. What is
    /// elsewhere in `total` means nothing.
    pub(crate) fn run(
        &self,
        total: &mut [T],
        of_pass: &mut [T],
        changed: Option<Changed<'_, T>>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let Some(Changed { params, state, part }) = changed else {
            return self.sum([total, of_pass], None, scratch);
        };
        let &Addends { members, buckets, .. } = &self.addends;
        let all = (0..members.size()).map(|rank| self.parts.of(rank, buckets));
        let runs = all.flat_map(|part| self.gathered.travelling(part).chain(self.gathered.computed(part)));
        let mut runs: Vec<Range<usize>> = runs.map(range_of).collect();
        runs.sort_unstable_by_key(|run| run.start);
        let mut runs = Some(Runs::new(params, &runs));
        members.lend(&mut |lent| {
            let Some(runs) = runs.take() else { return Ok(()) };
            let mut step = OwnStep { runs, state: &mut *state, part, lent };
            self.sum([&mut *total, &mut *of_pass], Some(&mut step), scratch)?;
            self.receive_parameters(&mut step.runs)
        })?;
        if runs.is_some() {
            let message = "the group has sent nothing of what it was to lend".to_owned();
            return Err(GroupError::Transport { rank: members.rank(), message });
        }
        Ok(())
    }

    /// The sums of the parameters of this member, and its step.
    fn sum(
        &self,
        [total, of_pass]: [&mut [T]; 2],
        mut step: Option<&mut OwnStep<'_, '_, T>>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let Self { addends, parts, gathered } = self;
        let &Addends { members, buckets, shares, .. } = addends;
        let (rank, last) = (members.rank(), members.size() - 1);
        let own = parts.of(rank, buckets);
        for owner in 0..=last {
            for run in gathered.travelling(parts.of(owner, buckets)) {
                let values = if shares.first { &mut *total } else { &mut *of_pass };
                let values = &mut values[range_of(run)];
                if !addends.pass_on(run, values, scratch)? {
                    continue;
                }
                if owner == last {
                    self.finish(run, [&mut *total, &mut *of_pass], step.as_deref_mut(), scratch)?;
                } else {
                    members.send_numbers(&[owner], Kind::Sum, values)?;
                }
            }
        }
        for run in gathered.computed(own) {
            match &mut step {
                // No other pass has sums of them.
                Some(step) if shares.first => self.update(run, Phase::Fused, total, step, scratch)?,
                _ => {
                    let values = if shares.first { &mut *total } else { &mut *of_pass };
                    addends.add_own(run, &mut values[range_of(run)], false, Some(gathered), scratch);
                    self.finish(run, [&mut *total, &mut *of_pass], step.as_deref_mut(), scratch)?;
                }
            }
        }
        if rank != last {
            for run in gathered.travelling(own) {
                let values = if shares.first { &mut *total } else { &mut *of_pass };
                members.receive_numbers(last, Kind::Sum, &mut values[range_of(run)])?;
                self.finish(run, [&mut *total, &mut *of_pass], step.as_deref_mut(), scratch)?;
            }
        }
        Ok(())
    }

    /// Receives what the others have updated.
    fn receive_parameters(&self, runs: &mut Runs<'_, T>) -> Result<(), GroupError> {
        let Self { parts, gathered, .. } = self;
        let &Addends { members, buckets, .. } = &self.addends;
        let last = members.size() - 1;
        for owner in members.others() {
            let of_owner = parts.of(owner, buckets);
            let mut receive = |run| members.receive_numbers(owner, Kind::Parameters, runs.take(run));
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

    /// Adds the sums of the pass to those of the passes before, in `total`, and takes the optimizer's step with them if it is to be taken.
    fn finish(
        &self,
        run: &[Bucket],
        [total, of_pass]: [&mut [T]; 2],
        step: Option<&mut OwnStep<'_, '_, T>>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        add_pass(run, total, of_pass, self.addends.shares);
        match step {
            Some(step) => self.update(run, Phase::Update, total, step, scratch),
            None => Ok(()),
        }
    }

    /// Takes the optimizer's step for some buckets, whose gradients are in `total` or are computed now, and sends the parameters to all others.
    fn update(
        &self,
        buckets: &[Bucket],
        phase: Phase,
        total: &mut [T],
        OwnStep { runs, state, part, lent }: &mut OwnStep<'_, '_, T>,
        scratch: &mut [Scratch<T>],
    ) -> Result<(), GroupError> {
        let &Addends { shards, common, threads, .. } = &self.addends;
        let range = range_of(buckets);
        let offset = range.start;
        let (params, total) = (runs.take(buckets), &mut total[range]);
        let state_offset = buckets[0].state;
        let state = &mut state[state_offset - part.state.start..];
        if phase == Phase::Update {
            if let Some(watch) = common.watch {
                for &Bucket { start, end, kind, .. } in buckets {
                    let values = &total[start - offset..end - offset];
                    watch.look_at_gradients(kind, values, start, largest_gradient());
                }
            }
            take_statistics(buckets, offset, total, params);
        }
        let block = ParamBlock { common, offset, params: &mut *params, state_offset, state };
        let of_run = BucketRange { buckets, block, total };
        let beside = Beside::Gathered(self.gathered);
        Reduce { beside, ..Reduce::new(phase, Order::ByShard, shards) }.run(of_run, scratch, threads);
        lent.send_to_others(Kind::Parameters, params)
    }
}
