//! All that is asked of MPI, by one thread at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use mpi::point_to_point::{Message, Source};
use mpi::topology::{Communicator, Process, SimpleCommunicator};
use mpi::traits::Equivalence;

use crate::sending::Sending;
use crate::spare::Spare;

/// The longest message that MPI counts.
pub(crate) const LONGEST: usize = i32::MAX as usize;

/// What is added to the kind of a message that only says where the bytes are, in memory that both processes share.
const IN_PLACE: i32 = 1 << 8;

/// What the tag of a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) kind: u8,
    /// Whether it only says where the bytes are.
    pub(crate) is_in_place: bool,
}

impl Tag {
    /// That of a message with its bytes.
    pub(crate) fn of(kind: u8) -> Self {
        Self { kind, is_in_place: false }
    }

    fn from_number(number: i32) -> Self {
        let is_in_place = number & IN_PLACE != 0;
        // No process sends another one.
        Self { kind: u8::try_from(number & !IN_PLACE).unwrap_or(u8::MAX), is_in_place }
    }

    pub(crate) fn number(self) -> i32 {
        i32::from(self.kind) | if self.is_in_place { IN_PLACE } else { 0 }
    }
}

/// The place where a process calls MPI. Whoever wants to has to lock it.
pub(crate) struct Port(Mutex<Calls>);

/// What can be asked of MPI by the thread that has locked the port.
pub(crate) struct Calls {
    /// `None` once this process leaves MPI.
    world: Option<SimpleCommunicator>,
    sending: Vec<Sending>,
}

// SAFETY: MPI was started with `MPI_THREAD_SERIALIZED` at least, so that any thread may use its communicators and requests as long as no two do at
// the same time; these are in a lock.
unsafe impl Send for Calls {}

/// A message that has arrived, and is not received yet.
pub(crate) struct Arrived {
    pub(crate) message: Message,
    pub(crate) tag: Tag,
    pub(crate) len: usize,
}

/// This process leaves MPI, or has left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Port {
    /// Between the processes of this communicator.
    pub(crate) fn new(world: SimpleCommunicator) -> Self {
        Self(Mutex::new(Calls { world: Some(world), sending: Vec::new() }))
    }

    /// Waits until no other thread calls MPI.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` if another thread calls MPI now.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, Calls>> {
        use std::sync::TryLockError::{Poisoned, WouldBlock};
        match self.0.try_lock() {
            Ok(calls) => Some(calls),
            Err(Poisoned(error)) => Some(error.into_inner()),
            Err(WouldBlock) => None,
        }
    }
}

impl Calls {
    /// Begins to send a message.
    pub(crate) fn send(&mut self, to: usize, tag: Tag, message: Vec<u8>) -> Result<(), Closed> {
        let sending = self.start(to, |to| Sending::start(to, tag, message))?;
        self.sending.push(sending);
        Ok(())
    }

    /// As [`send`](Self::send), as `start` does it; the caller has to see that it is finished.
    pub(crate) fn start(
        &self,
        to: usize,
        start: impl FnOnce(&Process<'_>) -> Sending,
    ) -> Result<Sending, Closed> {
        Ok(start(&self.world.as_ref().ok_or(Closed)?.process_at_rank(to as i32)))
    }

    /// Lets messages travel. Returns whether some are not sent yet; the memory of the others is spare.
    pub(crate) fn advance(&mut self, spare: &Spare) -> bool {
        self.sending.retain_mut(|sending| sending.finish().map(|message| spare.give(message)).is_none());
        !self.sending.is_empty()
    }

    /// The next message of a process, if it has arrived.
    pub(crate) fn arrived(&self, from: usize) -> Result<Option<Arrived>, Closed> {
        let from = self.world.as_ref().ok_or(Closed)?.process_at_rank(from as i32);
        Ok(from.immediate_matched_probe().map(|(message, status)| Arrived {
            message,
            tag: Tag::from_number(status.tag()),
            len: usize::try_from(status.count(u8::equivalent_datatype())).unwrap_or(0),
        }))
    }

    /// Nothing is asked of MPI any more.
    pub(crate) fn close(&mut self) {
        self.world = None;
    }

    /// Ends the job.
    pub(crate) fn abort(&self, status: i32) {
        if let Some(world) = &self.world {
            world.abort(status);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_a_number() {
        for (kind, is_in_place) in [(0, false), (13, true), (255, true)] {
            let tag = Tag { kind, is_in_place };
            assert_eq!(Tag::from_number(tag.number()), tag);
        }
        assert_eq!(Tag::from_number(9).kind, Tag::of(9).kind);
        assert_eq!(Tag::from_number(-1).kind, u8::MAX);
    }
}
