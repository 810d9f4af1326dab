//! Those who train together: processes that each compute a part of every batch.
//!
//! The decision here: **a group carries bytes, and nothing else.** What is sent to whom, and in which order sums are added, is the
//! trainer's business ([`engine`](crate::engine)), so a training has the same bits whatever the group is made of: the threads of a test, or
//! the processes of MPI on many machines.

mod error;
mod threads;

use std::fmt::Debug;
use std::sync::Arc;

use chainrule_tensor::SharedMemory;

pub use error::{Difference, GroupError};
pub use threads::ThreadGroup;

/// A member of a group whose members train together. It is transport only: messages arrive whole, and those from one member to another
/// in the order in which they were sent.
///
/// A trainer calls it from one thread at a time.
pub trait Group: Debug + Send + Sync {
    /// The number of this member, from 0.
    fn rank(&self) -> usize;

    /// The number of members.
    fn size(&self) -> usize;

    /// Sends a message of a kind, which is whatever members agree on, to another member. It does not wait until that one receives it: two
    /// members may send to each other before either receives.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if that member cannot be reached.
    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError>;

    /// As [`send`](Self::send), of a message that the caller has no more use for. Returns memory for another one, with whatever is in it.
    /// By default it sends a copy.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    fn send_away(&self, to: usize, kind: u8, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        self.send(to, kind, &message)?;
        Ok(message)
    }

    /// Waits for the next message of another member, and replaces the contents of `message` by it; returns its kind.
    ///
    /// # Errors
    ///
    /// [`GroupError::Gone`] if that member has ended, [`GroupError::Silent`] if it sends nothing for longer than this group waits,
    /// [`GroupError::Transport`] if the message cannot be received.
    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError>;

    /// As [`receive`](Self::receive), where a message of this kind with as many bytes as `place` has is expected: that is written to `place`, and
    /// `None` is returned. Any other message is received as there. By default the message is copied.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive); then what is in `place` means nothing. A group that cannot take back memory which is still being written
    /// may end the program instead.
    fn receive_into(
        &self,
        from: usize,
        kind: u8,
        place: &mut [u8],
        message: &mut Vec<u8>,
    ) -> Result<Option<u8>, GroupError> {
        let found = self.receive(from, message)?;
        if found != kind || message.len() != place.len() {
            return Ok(Some(found));
        }
        place.copy_from_slice(message);
        Ok(None)
    }

    /// Calls `work` with a [`Lender`], and returns when all messages were sent that it was given. By default they are copied.
    ///
    /// # Errors
    ///
    /// Those of `work`, and as [`send`](Self::send). A group that cannot take back memory which is still being sent may end the program instead.
    fn lend<'env>(&self, work: Lending<'_, 'env>) -> Result<(), GroupError> {
        work(&Copying(self))
    }

    /// Memory of so many bytes that the members on this machine have in common, in place of what they had before; `None` if there is none, as by
    /// default. All members call it at the same point, with the same number. What is [lent](Self::lend) from it need not be copied for a member
    /// that [receives](Self::receive_into) it to the same place.
    ///
    /// Each number in it belongs to one member at a time. That one writes it and lends it; the others leave it alone until they have
    /// received it, and read it until they send the message after which the member writes it again.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    fn share(&self, bytes: usize) -> Result<Option<SharedMemory>, GroupError> {
        let _ = bytes;
        Ok(None)
    }
}

/// Sends messages from where they are: see [`Group::lend`].
pub trait Lender<'env> {
    /// As [`Group::send`], of a message that is neither changed nor freed before [`lend`](Group::lend) returns.
    ///
    /// # Errors
    ///
    /// As there.
    fn send(&self, to: usize, kind: u8, message: &'env [u8]) -> Result<(), GroupError>;
}

/// What is done while messages are lent: it is called once.
pub type Lending<'a, 'env> = &'a mut dyn FnMut(&dyn Lender<'env>) -> Result<(), GroupError>;

/// Sends copies.
struct Copying<'a, G: ?Sized>(&'a G);

impl<'env, G: Group + ?Sized> Lender<'env> for Copying<'_, G> {
    fn send(&self, to: usize, kind: u8, message: &'env [u8]) -> Result<(), GroupError> {
        self.0.send(to, kind, message)
    }
}

/// For a program that keeps a hold of its place in the group.
impl<G: Group + ?Sized> Group for Arc<G> {
    fn rank(&self) -> usize {
        (**self).rank()
    }

    fn size(&self) -> usize {
        (**self).size()
    }

    fn send(&self, to: usize, kind: u8, message: &[u8]) -> Result<(), GroupError> {
        (**self).send(to, kind, message)
    }

    fn send_away(&self, to: usize, kind: u8, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        (**self).send_away(to, kind, message)
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<u8, GroupError> {
        (**self).receive(from, message)
    }

    fn receive_into(
        &self,
        from: usize,
        kind: u8,
        place: &mut [u8],
        message: &mut Vec<u8>,
    ) -> Result<Option<u8>, GroupError> {
        (**self).receive_into(from, kind, place, message)
    }

    fn lend<'env>(&self, work: Lending<'_, 'env>) -> Result<(), GroupError> {
        (**self).lend(work)
    }

    fn share(&self, bytes: usize) -> Result<Option<SharedMemory>, GroupError> {
        (**self).share(bytes)
    }
}
