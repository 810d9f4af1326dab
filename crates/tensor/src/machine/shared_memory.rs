//! Memory that several processes of one machine use.

use std::any::Any;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

/// The alignment of all memory for numbers: one cache line, and one AVX-512 register.
pub(crate) const ALIGN: usize = 64;

/// Some of the memory that several processes of one machine have mapped, each wherever it is there. It is used by whoever owns this value, and by
/// other processes in turn with it: see [`new`](Self::new).
pub struct SharedMemory {
    start: NonNull<u8>,
    len: usize,
    /// What keeps the memory where it is.
    owner: Arc<dyn Any + Send + Sync>,
}

// SAFETY: it is the only access of this process to its bytes, as a `Box` is, and its owner may be used and dropped anywhere.
unsafe impl Send for SharedMemory {}
// SAFETY: shared references only read, as those to a `Box` do; to write takes an exclusive one.
unsafe impl Sync for SharedMemory {}

impl SharedMemory {
    /// `len` bytes from `start`, which stay where they are as long as `owner` is there.
    ///
    /// # Safety
    ///
    /// They can be read and written, are initialised, begin on a 64-byte boundary, and nothing else in this process uses them while `owner` is
    /// there. Other processes write to them only where and when this one does not use them, but for the very bytes that are there, and do not read what
    /// it is writing: they tell each other, by messages, whose turn it is.
    pub unsafe fn new(start: NonNull<u8>, len: usize, owner: Arc<dyn Any + Send + Sync>) -> Self {
        Self { start, len, owner }
    }

    /// The number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first bytes, `len` or a few more, so that the others begin on a 64-byte boundary, and the others; all bytes and none if there are fewer.
    pub fn split_at(self, len: usize) -> (Self, Self) {
        let middle = len.checked_next_multiple_of(ALIGN).unwrap_or(self.len).min(self.len);
        if middle == self.len {
            return (self, Self::default());
        }
        let Self { start, len, owner } = self;
        // SAFETY: it is within the bytes, or where they end.
        let second = unsafe { start.add(middle) };
        (
            Self { start, len: middle, owner: Arc::clone(&owner) },
            Self { start: second, len: len - middle, owner },
        )
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Default for SharedMemory {
    /// No bytes.
    fn default() -> Self {
        /// What no bytes begin with.
        #[repr(align(64))]
        struct Aligned;
        Self { start: NonNull::<Aligned>::dangling().cast(), len: 0, owner: Arc::new(()) }
    }
}

impl fmt::Debug for SharedMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedMemory").field("len", &self.len).finish_non_exhaustive()
    }
}
