//! Those who train together: processes that each compute a part of every batch.
//!
//! The decision here: **a group carries bytes, and nothing else.** What is sent to whom, and in which order sums are added, is the
//! trainer's business ([`engine`](crate::engine)), so a training has the same bits whatever the group is made of: the threads of a test, or
//! the processes of MPI on many machines.

mod error;
mod threads;

use std::fmt::Debug;
use std::sync::Arc;

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

    /// Sends a message to another member. It does not wait until that one receives it: two members may send to each other before either
    /// receives.
    ///
    /// # Errors
    ///
    /// [`GroupError`] if that member cannot be reached.
    fn send(&self, to: usize, message: &[u8]) -> Result<(), GroupError>;

    /// As [`send`](Self::send), of a message that the caller has no more use for. Returns memory for another one, with whatever is in it.
    /// By default it sends a copy.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    fn send_away(&self, to: usize, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        self.send(to, &message)?;
        Ok(message)
    }

    /// Waits for the next message of another member, and replaces the contents of `message` by it.
    ///
    /// # Errors
    ///
    /// [`GroupError::Gone`] if that member has ended, [`GroupError::Silent`] if it sends nothing for longer than this group waits,
    /// [`GroupError::Transport`] if the message cannot be received.
    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<(), GroupError>;
}

/// For a program that keeps a hold of its place in the group.
impl<G: Group + ?Sized> Group for Arc<G> {
    fn rank(&self) -> usize {
        (**self).rank()
    }

    fn size(&self) -> usize {
        (**self).size()
    }

    fn send(&self, to: usize, message: &[u8]) -> Result<(), GroupError> {
        (**self).send(to, message)
    }

    fn send_away(&self, to: usize, message: Vec<u8>) -> Result<Vec<u8>, GroupError> {
        (**self).send_away(to, message)
    }

    fn receive(&self, from: usize, message: &mut Vec<u8>) -> Result<(), GroupError> {
        (**self).receive(from, message)
    }
}
