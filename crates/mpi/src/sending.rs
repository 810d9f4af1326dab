//! A message that MPI is sending.

use mpi::point_to_point::Destination;
use mpi::request::{Request, StaticScope};

/// A message that MPI reads while it is on its way.
pub(crate) struct Sending {
    /// `None` once it was sent.
    request: Option<Request<'static, [u8], StaticScope>>,
    /// The memory of the message, which came from a box.
    message: *mut [u8],
}

impl Sending {
    /// Begins to send a message.
    pub(crate) fn start(to: &impl Destination, message: Box<[u8]>) -> Self {
        let message = Box::into_raw(message);
        // SAFETY: the memory comes from a box, and is freed in `is_done` alone, after MPI has said that it does not need it any more.
        let bytes: &'static [u8] = unsafe { &*message };
        Self { request: Some(to.immediate_send(StaticScope, bytes)), message }
    }

    /// Whether it was sent. If so, its memory is freed, and nothing else is left to do.
    pub(crate) fn is_done(&mut self) -> bool {
        let Some(request) = self.request.take() else { return true };
        match request.test() {
            Ok(_) => {
                // SAFETY: the request is complete, and was the only one that read the memory, which came from a box.
                drop(unsafe { Box::from_raw(self.message) });
                true
            }
            Err(request) => {
                self.request = Some(request);
                false
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
