//! Counting the allocations of a program.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

thread_local! {
    static OF_THIS_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator with counters: how many allocations there were, and how much memory is in use.
///
/// Make it the allocator of a test that a pass allocates nothing, or of a benchmark of the memory of a training. It adds a few
/// nanoseconds to an allocation and nothing to anything else. Memory that does not come from Rust's allocator, such as the
/// buffers of BLAS and the stacks of threads, is not counted.
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
    /// Counters at 0. They count once this is a program's `#[global_allocator]`.
    pub const fn new() -> Self {
        Self { allocations: AtomicU64::new(0), live: AtomicUsize::new(0), peak: AtomicUsize::new(0) }
    }

    /// How many allocations and reallocations all threads have made since the program started.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Relaxed)
    }

    /// The same for the calling thread alone, since tests run in parallel.
    pub fn allocations_of_this_thread(&self) -> u64 {
        OF_THIS_THREAD.get()
    }

    /// How many bytes are in use now.
    pub fn live(&self) -> usize {
        self.live.load(Relaxed)
    }

    /// The maximum number of bytes in use at once, since the start or since [`restart_peak`](Self::restart_peak).
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    /// Restarts [`peak`](Self::peak) from the bytes that are in use now, and returns these.
    pub fn restart_peak(&self) -> usize {
        let live = self.live();
        self.peak.store(live, Relaxed);
        live
    }

    fn count(&self) {
        self.allocations.fetch_add(1, Relaxed);
        // A thread that is ending no longer has a counter, and no reader.
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

// SAFETY: every call is passed to the system's allocator unchanged, and counting neither allocates nor panics.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.count();
        self.grown(layout.size());
        // SAFETY: here and below, the caller upholds the contract, which is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.count();
        self.grown(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        self.count();
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
            // While it is moved both may exist.
            assert_eq!((allocator.allocations(), allocator.live(), allocator.peak()), (3, 800, 808));
            allocator.dealloc(first, large);
        }
        assert_eq!(allocator.live(), 0);
        assert_eq!(allocator.allocations_of_this_thread() - of_this_thread, 3);
    }
}
