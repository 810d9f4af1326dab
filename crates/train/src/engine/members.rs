//! The members of a [`Group`], and which shards each of them runs.
//!
//! Each member runs a contiguous run of whole shards. The other shards stay empty, so that nothing else has to know of them. What
//! members tell each other is a message of a [`Kind`]: members that are not at the same point of the training are
//! found out, and one that fails says why to all others, whatever these wait for.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use chainrule_tensor::{Real, SharedMemory, bytes_mut, bytes_of};

use super::pass::rows_of_shard;
use crate::group::{Group, GroupError, Lender};
use crate::numbers;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// What a member is about to train.
    Properties = 1,
    /// What callbacks have asked for, or nothing once it was done.
    Requests,
    /// Sums of a layer in the middle of a pass.
    LayerSums,
    /// The weights of rows.
    Weights,
    /// The losses of rows, the largest gradients of shards, and what callbacks have asked for.
    Losses,
    /// The operands of products.
    Operands,
    /// The sum of the gradients of some shards.
    PartialSum,
    /// The sum of the gradients of all shards.
    Sum,
    /// Parameters that were updated.
    Parameters,
    /// The largest numbers of the optimizer's state, or what is not finite after a careful step.
    Findings,
    /// The optimizer's state, and the request for it.
    State,
    /// What metrics have counted, and in an evaluation the losses.
    Counts,
    /// Why a member has failed.
    Failure,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Properties,
        Self::Requests,
        Self::LayerSums,
        Self::Weights,
        Self::Losses,
        Self::Operands,
        Self::PartialSum,
        Self::Sum,
        Self::Parameters,
        Self::Findings,
        Self::State,
        Self::Counts,
        Self::Failure,
    ];

    fn of(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| byte == *kind as u8)
    }

    /// Where a member is that sends it.
    fn place(self) -> &'static str {
        match self {
            Self::Properties => "the beginning of a training or an evaluation",
            Self::Requests => "the end of an event",
            Self::LayerSums => "a sum in the middle of a pass",
            Self::Weights => "the weights of a batch",
            Self::Losses => "the losses of a batch",
            Self::Operands => "the operands of products",
            Self::PartialSum => "the sum of the gradients",
            Self::Sum => "the end of the sum of the gradients",
            Self::Parameters => "the update of the parameters",
            Self::Findings => "a look at the numbers of a step",
            Self::State => "a checkpoint",
            Self::Counts => "the values of the metrics",
            Self::Failure => "an error",
        }
    }
}

/// How members divide the shards of a batch: each has a contiguous run of whole ones. Where there are more members than shards, the last ones
/// have one each, so that sums travel through no member that adds nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Division {
    /// The number of members.
    pub(crate) size: usize,
    pub(crate) shards: usize,
}

impl Division {
    /// The shards of a member.
    pub(crate) fn shards_of(self, rank: usize) -> Range<usize> {
        match self.size.checked_sub(self.shards) {
            None => rows_of_shard(self.shards, rank, self.size),
            Some(idle) => rank.saturating_sub(idle)..(rank + 1).saturating_sub(idle),
        }
    }

    /// The rows of a batch of `rows` that belong to a member.
    pub(crate) fn rows_of(self, rank: usize, rows: usize) -> Range<usize> {
        let Range { start, end } = self.shards_of(rank);
        let first_of =
            |shard| if shard == self.shards { rows } else { rows_of_shard(rows, shard, self.shards).start };
        first_of(start)..first_of(end)
    }

    /// Whether a member has rows of a batch of `rows`.
    pub(crate) fn has_rows(self, rank: usize, rows: usize) -> bool {
        !self.rows_of(rank, rows).is_empty()
    }

    /// The first member that has rows of a batch of `rows`, with which sums begin.
    pub(crate) fn first_with_rows(self, rows: usize) -> usize {
        (0..self.size).find(|&rank| self.has_rows(rank, rows)).unwrap_or(0)
    }
}

/// The members of a group, seen from one of them.
#[derive(Debug)]
pub(crate) struct Members {
    group: Arc<dyn Group>,
    division: Division,
    /// Messages that are not in use.
    spare: Mutex<Vec<Vec<u8>>>,
}

impl Members {
    /// The members of a group that divides this many shards.
    pub(crate) fn new(group: Arc<dyn Group>, shards: usize) -> Self {
        let division = Division { size: group.size(), shards };
        Self { group, division, spare: Mutex::default() }
    }

    pub(crate) fn rank(&self) -> usize {
        self.group.rank()
    }

    pub(crate) fn size(&self) -> usize {
        self.group.size()
    }

    /// The shards of this member.
    pub(crate) fn own(&self) -> Range<usize> {
        self.shards_of(self.rank())
    }

    /// The shards of a member.
    pub(crate) fn shards_of(&self, rank: usize) -> Range<usize> {
        self.division.shards_of(rank)
    }

    /// Whether a member has rows of a batch of `rows`.
    pub(crate) fn has_rows(&self, rank: usize, rows: usize) -> bool {
        self.division.has_rows(rank, rows)
    }

    /// The first member that has rows of a batch of `rows`, with which sums begin.
    pub(crate) fn first_with_rows(&self, rows: usize) -> usize {
        self.division.first_with_rows(rows)
    }

    /// The other members.
    pub(crate) fn others(&self) -> impl Iterator<Item = usize> {
        let rank = self.rank();
        (0..self.size()).filter(move |&other| other != rank)
    }

    /// Sends a message that `write` appends the contents of.
    pub(crate) fn send(
        &self,
        to: &[usize],
        kind: Kind,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), GroupError> {
        let mut message = self.take();
        write(&mut message);
        self.send_message(to, kind, message)
    }

    /// Sends these numbers.
    pub(crate) fn send_numbers<T: Real>(
        &self,
        to: &[usize],
        kind: Kind,
        values: &[T],
    ) -> Result<(), GroupError> {
        self.send(to, kind, |message| numbers::append(values, message))
    }

    /// Memory of so many bytes that the members on this machine have in common, if there is any: see [`Group::share`].
    pub(crate) fn share(&self, bytes: usize) -> Result<Option<SharedMemory>, GroupError> {
        // A machine with the other order of bytes sends copies.
        let bytes = if cfg!(target_endian = "big") { 0 } else { bytes };
        if bytes == 0 { Ok(None) } else { self.group.share(bytes) }
    }

    /// Calls `work`, which lends numbers that others are sent, and returns when they were sent.
    pub(crate) fn lend<'env>(
        &self,
        work: &mut dyn FnMut(LentNumbers<'_, 'env>) -> Result<(), GroupError>,
    ) -> Result<(), GroupError> {
        self.group.lend(&mut |lender| work(LentNumbers { members: self, lender }))
    }

    fn send_message(&self, to: &[usize], kind: Kind, message: Vec<u8>) -> Result<(), GroupError> {
        let why = |error| self.why(error);
        let Some((&last, others)) = to.split_last() else {
            self.give(message);
            return Ok(());
        };
        others.iter().try_for_each(|&to| self.group.send(to, kind as u8, &message)).map_err(why)?;
        self.give(self.group.send_away(last, kind as u8, message).map_err(why)?);
        Ok(())
    }

    /// Waits for a message with these numbers.
    pub(crate) fn receive_numbers<T: Real>(
        &self,
        from: usize,
        expected: Kind,
        values: &mut [T],
    ) -> Result<(), GroupError> {
        let mut message = self.take();
        let place = bytes_mut(values);
        let result = match self.group.receive_into(from, expected as u8, place, &mut message) {
            Ok(None) => {
                numbers::were_written(values);
                Ok(())
            }
            Ok(Some(found)) => {
                check(from, expected, found, &message).and_then(|()| Err(of_other_length(from)))
            }
            Err(error) => Err(error),
        };
        self.give(message);
        result
    }

    /// Waits for a message of this kind, and calls `read` with its contents, which returns `None` if they are not what they should be.
    pub(crate) fn receive<R>(
        &self,
        from: usize,
        expected: Kind,
        read: impl FnOnce(&[u8]) -> Option<R>,
    ) -> Result<R, GroupError> {
        let mut message = self.take();
        let result = self
            .group
            .receive(from, &mut message)
            .and_then(|found| check(from, expected, found, &message))
            .and_then(|()| read(&message).ok_or_else(|| of_other_length(from)));
        self.give(message);
        result
    }

    /// Tells all members what this one has to say, and calls `read` with what each says, its own included, in the order of the ranks.
    pub(crate) fn all_gather(
        &self,
        kind: Kind,
        own: &[u8],
        read: &mut dyn FnMut(usize, &[u8]) -> Option<()>,
    ) -> Result<(), GroupError> {
        let others: Vec<usize> = self.others().collect();
        self.send(&others, kind, |message| message.extend_from_slice(own))?;
        for rank in 0..self.size() {
            if rank == self.rank() {
                read(rank, own);
            } else {
                self.receive(rank, kind, |message| read(rank, message))?;
            }
        }
        Ok(())
    }

    /// As [`all_gather`](Self::all_gather), with numbers: calls `read` with those of each member.
    pub(crate) fn all_gather_numbers(
        &self,
        kind: Kind,
        own: &[f64],
        read: &mut dyn FnMut(usize, &[f64]) -> Option<()>,
    ) -> Result<(), GroupError> {
        let mut values = Vec::new();
        self.all_gather(kind, &numbers::bytes(own), &mut |rank, bytes| {
            values.resize(bytes.len() / size_of::<f64>(), 0.0);
            numbers::numbers(bytes, &mut values)?;
            read(rank, &values)
        })
    }

    /// Tells all other members that this one has failed, as far as they can be reached.
    pub(crate) fn fail(&self, error: &dyn std::error::Error) {
        let text = error.to_string();
        for other in self.others() {
            let _ = self.send(&[other], Kind::Failure, |message| message.extend_from_slice(text.as_bytes()));
        }
    }

    /// An error, or that of a member that has ended, if it has said why.
    fn why(&self, error: GroupError) -> GroupError {
        match error {
            GroupError::Gone { rank } => self.why_gone(rank),
            error => error,
        }
    }

    /// Why a member has ended, if it has said so.
    fn why_gone(&self, rank: usize) -> GroupError {
        let mut message = Vec::new();
        loop {
            match self.group.receive(rank, &mut message) {
                Ok(kind) if Kind::of(kind) == Some(Kind::Failure) => return failure(rank, &message),
                Ok(_) => {}
                Err(_) => return GroupError::Gone { rank },
            }
        }
    }

    /// An empty message.
    fn take(&self) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut message = spare.unwrap_or_default();
        message.clear();
        message
    }

    fn give(&self, message: Vec<u8>) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(message);
    }
}

/// Sends numbers from where they are: see [`Members::lend`].
#[derive(Clone, Copy)]
pub(crate) struct LentNumbers<'a, 'env> {
    members: &'a Members,
    lender: &'a dyn Lender<'env>,
}

impl<'env> LentNumbers<'_, 'env> {
    /// Sends these numbers, which stay as they are for so long, to all other members.
    pub(crate) fn send_to_others<T: Real>(self, kind: Kind, values: &'env [T]) -> Result<(), GroupError> {
        let Self { members, lender } = self;
        if cfg!(target_endian = "big") {
            let others: Vec<usize> = members.others().collect();
            return members.send_numbers(&others, kind, values);
        }
        let bytes = bytes_of(values);
        let sent = members.others().try_for_each(|to| lender.send(to, kind as u8, bytes));
        sent.map_err(|error| members.why(error))
    }
}

fn of_other_length(rank: usize) -> GroupError {
    GroupError::Transport { rank, message: "its message has another length".into() }
}

fn failure(rank: usize, message: &[u8]) -> GroupError {
    GroupError::Failed { rank, message: String::from_utf8_lossy(message).into_owned() }
}

/// An error if a message that was found is of another kind than is expected.
fn check(from: usize, expected: Kind, found: u8, message: &[u8]) -> Result<(), GroupError> {
    match Kind::of(found) {
        Some(Kind::Failure) => Err(failure(from, message)),
        Some(kind) if kind == expected => Ok(()),
        found => {
            let found = found.map_or("an unknown point", Kind::place);
            Err(GroupError::OutOfStep { rank: from, expected: expected.place(), found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::ThreadGroup;

    fn members(size: usize, shards: usize) -> Vec<Members> {
        let groups = ThreadGroup::of(size).into_iter();
        groups.map(|group| Members::new(Arc::new(group), shards)).collect()
    }

    #[test]
    fn every_shard_and_every_row_belongs_to_one_member() {
        for (size, shards) in [(1, 1), (2, 3), (3, 8), (7, 8), (4, 4), (7, 2), (3, 1)] {
            let all = members(size, shards);
            let owned: Vec<usize> = all.iter().flat_map(Members::own).collect();
            assert_eq!(owned, (0..shards).collect::<Vec<_>>());
            // Once one has some, all after it have.
            assert!(all.windows(2).all(|pair| pair[0].own().is_empty() || !pair[1].own().is_empty()));
            for rows in [1, 2, 5, 8, 31] {
                let of = |rank| all[0].division.rows_of(rank, rows);
                assert_eq!((0..size).flat_map(of).collect::<Vec<_>>(), (0..rows).collect::<Vec<_>>());
                for member in &all {
                    let of_shards = member.own().flat_map(|shard| rows_of_shard(rows, shard, shards));
                    assert!(of_shards.eq(member.division.rows_of(member.rank(), rows)));
                    let first = member.first_with_rows(rows);
                    assert!(member.division.rows_of(first, rows).contains(&0), "{size} {shards} {rows}");
                }
            }
        }
    }

    #[test]
    fn what_a_member_expects_is_checked() {
        let all = members(2, 2);
        let send = |kind| all[0].send(&[1], kind, |message| message.push(7)).unwrap();
        let receive = || all[1].receive(0, Kind::Losses, |message| (message == [7]).then_some(()));
        send(Kind::Losses);
        receive().unwrap();
        send(Kind::Counts);
        assert!(matches!(receive(), Err(GroupError::OutOfStep { rank: 0, .. })));
        all[0].fail(&GroupError::Over);
        assert_eq!(receive(), Err(GroupError::Failed { rank: 0, message: GroupError::Over.to_string() }));
        all[0].send(&[1], Kind::Losses, |_| ()).unwrap();
        assert!(matches!(receive(), Err(GroupError::Transport { rank: 0, .. })));
    }

    #[test]
    fn a_member_that_has_failed_and_gone_has_said_why() {
        let mut all = members(2, 2);
        let [first, second] = [all.remove(0), all.remove(0)];
        first.send(&[1], Kind::Losses, |_| ()).unwrap();
        first.fail(&GroupError::Over);
        drop(first);
        let sent = second.send(&[0], Kind::Losses, |_| ());
        assert_eq!(sent, Err(GroupError::Failed { rank: 0, message: GroupError::Over.to_string() }));
        assert_eq!(second.send(&[0], Kind::Losses, |_| ()), Err(GroupError::Gone { rank: 0 }));
    }
}
