//! What the system has refused, and whether the program has said so.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// The size of the last allocation that the system refused; 0 before the first.
pub(super) static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Whether the reason was printed before the program was aborted.
pub(super) static SAID: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which notes what the system refuses, for [`prepare_for_scarce_memory`](crate::prepare_for_scarce_memory).
///
/// ```
/// use chainrule_tensor::NotingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: NotingAllocator = NotingAllocator;
///
/// assert!(Vec::<u8>::new().try_reserve_exact(isize::MAX as usize).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NotingAllocator;

impl NotingAllocator {
    #[inline]
    fn note(pointer: *mut u8, bytes: usize) -> *mut u8 {
        if pointer.is_null() {
            REFUSED.store(bytes, Relaxed);
        }
        pointer
    }
}

// SAFETY: every call is passed to the system's allocator unchanged, and noting neither allocates nor panics.
unsafe impl GlobalAlloc for NotingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: here and below, the caller upholds the contract, which is the system allocator's.
        Self::note(unsafe { System.alloc(layout) }, layout.size())
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        Self::note(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        Self::note(unsafe { System.realloc(pointer, layout, size) }, size)
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Ends the program because the system refuses memory, with this message.
pub(crate) fn abort(message: &dyn std::fmt::Display) -> ! {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "error: {message}");
    SAID.store(true, Relaxed);
    std::process::abort();
}
