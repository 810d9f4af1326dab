//! Counting what a program asks of the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

thread_local! {
    static OF_THIS_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which keeps count: how often memory was asked for, and how much is in use.
///
/// A test that a pass allocates nothing, or a benchmark that says how much memory a training takes, makes it the
/// allocator of its program. It adds a few nanoseconds to an allocation and nothing to anything else. Memory
/// that does not come from Rust's allocator, such as the buffers of BLAS and the stacks of threads, is not seen.
///
/// ```
/// use chainrule_tensor::CountingAllocator;
///
/// #[global_allocator]
/// static ALLOCATOR: CountingAllocator = CountingAllocator::new();
///
/// let before = ALLOCATOR.allocations();
/// let values = vec![0u8; 1000];
/// assert!(ALLOCATOR.allocations() > before);
/// assert!(ALLOCATOR.peak() >= values.len());
/// ```
#[derive(Debug)]
pub struct CountingAllocator {
    allocations: AtomicU64,
    live: AtomicUsize,
    peak: AtomicUsize,
}

impl CountingAllocator {
    /// Nothing counted yet. It counts once it is a program's `#[global_allocator]`.
    pub const fn new() -> Self {
        Self { allocations: AtomicU64::new(0), live: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// How often memory was asked for, or asked to grow, by all threads since the program began.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Relaxed)
    }

    /// The same for the calling thread alone, where tests run side by side.
    pub fn allocations_of_this_thread(&self) -> u64 {
        OF_THIS_THREAD.get()
    }

    /// How many bytes are in use.
    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    /// The most bytes that were in use at once, since the beginning or since [`restart_peak`](Self::restart_peak).
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    /// Lets [`peak`](Self::peak) begin anew, from the bytes that are in use now; returns these.
    pub fn restart_peak(&self) -> usize {
        let live = self.live();
        self.peak.store(live, Relaxed);
        live
    }

    fn asked(&self) {
        self.allocations.fetch_add(1, Relaxed);
        // A thread that is ending has no count any more, and nobody to read it.
        let _ = OF_THIS_THREAD.try_with(|count| count.set(count.get() + 1));
    }

    fn grown(&self, bytes: usize) {
        let live = self.live.fetch_add(bytes, Relaxed) + bytes;
        self.peak.fetch_max(live, Relaxed);
    }

    fn shrunk(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Relaxed);
    }
}

impl Default for CountingAllocator {
    fn default() -> Self {
        Self::new()
    }
}

// SAFETY: every call is handed to the system's allocator as it is, and counting neither allocates nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.asked();
        self.grown(layout.size());
        // SAFETY: here and below, the caller keeps the contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.asked();
        self.grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.asked();
        self.grown(size);
        self.shrunk(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        self.shrunk(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_calls_and_bytes() {
        let allocator = CountingAllocator::new();
        let (small, large) = (Layout::new::<u64>(), Layout::new::<[u64; 100]>());
        let of_this_thread = allocator.allocations_of_this_thread();
        // SAFETY: neither layout is empty, and what is allocated is released with its layout.
        unsafe {
            let first = allocator.alloc(small);
            let second = allocator.alloc_zeroed(large);
            assert_eq!((allocator.allocations(), allocator.live(), allocator.peak()), (2, 808, 808));
            allocator.dealloc(second, large);
            assert_eq!((allocator.live(), allocator.peak()), (8, 808));
            assert_eq!(allocator.restart_peak(), 8);
            assert_eq!(allocator.peak(), 8);
            let first = allocator.realloc(first, small, large.size());
            // While it is moved both may be there.
            assert_eq!((allocator.allocations(), allocator.live(), allocator.peak()), (3, 800, 808));
            allocator.dealloc(first, large);
        }
        assert_eq!(allocator.live(), 0);
        assert_eq!(allocator.allocations_of_this_thread() - of_this_thread, 3);
    }
}
