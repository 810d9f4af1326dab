//! Memory that each thread keeps for what it packs.

use std::cell::Cell;

use crate::buffer::Buffer;
use crate::real::Real;

thread_local! {
    static SCRATCH: Cell<Buffer<f64>> = Cell::default();
}

/// Calls `f` with memory for each of these numbers of values, which have no meaning; each begins with a cache line. The thread keeps
/// the memory, so that it is allocated once.
pub(super) fn with_scratch<T: Real, const N: usize>(lens: [usize; N], f: impl FnOnce([*mut T; N])) {
    let mut scratch = SCRATCH.take();
    let line = 64 / size_of::<T>();
    let total: usize = lens.iter().map(|len| len.next_multiple_of(line)).sum();
    scratch.reserve((total * size_of::<T>()).div_ceil(size_of::<f64>()));
    let mut free = scratch.as_mut_ptr().cast::<T>();
    f(lens.map(|len| {
        let part = free;
        free = free.wrapping_add(len.next_multiple_of(line));
        part
    }));
    SCRATCH.set(scratch);
}
