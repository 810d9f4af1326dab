//! A message that MPI is sending.

use std::mem::ManuallyDrop;

use mpi::point_to_point::Destination;
use mpi::request::{Request, StaticScope};

use crate::port::Tag;

/// A message that MPI reads while it is on its way.
pub(crate) struct Sending {
    /// `None` once it was sent.
    request: Option<Request<'static, [u8], StaticScope>>,
    /// The memory of the message, if it was handed over.
    message: ManuallyDrop<Vec<u8>>,
}

impl Sending {
    /// Begins to send a message.
    pub(crate) fn start(to: &impl Destination, tag: Tag, message: Vec<u8>) -> Self {
        let message = ManuallyDrop::new(message);
        // SAFETY: the memory is that of a vector which is neither changed nor freed before `finish` takes it, after MPI has said that it does
        // not need it any more.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(message.as_ptr(), message.len()) };
        Self { request: Some(to.immediate_send_with_tag(StaticScope, bytes, tag.number())), message }
    }

    /// Begins to send a message that is lent.
    ///
    /// # Safety
    ///
    /// The memory of the message is neither changed nor freed before [`finish`](Self::finish) has returned something.
    pub(crate) unsafe fn lent(to: &impl Destination, tag: Tag, message: &[u8]) -> Self {
        // SAFETY: the caller keeps the memory as long as it is read.
        let bytes: &'static [u8] = unsafe { std::slice::from_raw_parts(message.as_ptr(), message.len()) };
        let request = to.immediate_send_with_tag(StaticScope, bytes, tag.number());
        Self { request: Some(request), message: ManuallyDrop::new(Vec::new()) }
    }

    /// The memory of the message, or none if it was lent, once it was sent; then nothing else is left to do.
    pub(crate) fn finish(&mut self) -> Option<Vec<u8>> {
        match self.request.take()?.test() {
            // SAFETY: the request is complete, and was the only one that read the memory. There is none now, so this is the only time.
            Ok(_) => Some(unsafe { ManuallyDrop::take(&mut self.message) }),
            Err(request) => {
                self.request = Some(request);
                None
            }
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        // A request that is dropped before it is complete would end the program: MPI may still read its memory, so both stay.
        if let Some(request) = self.request.take() {
            std::mem::forget(request);
        }
    }
}
