//! What the system has refused, and whether the program has said so.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::AtomicBool;

thread_local! {
    /// The size of this thread's last allocation if the system refused it, or else 0. It has no initialiser and no destructor, so that
    /// its use allocates nothing and is right while a thread ends.
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

/// The size of this thread's last allocation if the system refused it, or else 0: a refusal that the program could handle is followed
/// by others.
#[cfg(any(unix, test))]
pub(super) fn refused() -> usize {
    REFUSED.try_with(Cell::get).unwrap_or(0)
}

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
        let refused = if pointer.is_null() { bytes } else { 0 };
        let _ = REFUSED.try_with(|last| last.set(refused));
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
#[cfg(any(feature = "openblas", feature = "openblas-static", test))]
pub(crate) fn abort(message: &dyn std::fmt::Display) -> ! {
    use std::io::Write;
    use std::sync::atomic::Ordering::Relaxed;
    let _ = writeln!(std::io::stderr(), "error: {message}");
    SAID.store(true, Relaxed);
    std::process::abort();
}
