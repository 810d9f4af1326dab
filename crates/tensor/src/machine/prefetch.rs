//! Prefetching memory before it is needed.

/// The size of a cache line in bytes.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// Requests these values for the CPU's second cache, without waiting. On other architectures than x86-64 it does nothing.
///
/// Samples that are gathered in a random order come from main memory, which takes longer than converting them. Prefetched one
/// step ahead, they are in the cache when they are read.
#[inline]
pub fn prefetch<V>(values: &[V]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in lines(values) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the address is within `values`; a prefetch reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = values;
}

/// Requests these values for writing, without waiting: they are invalidated in the caches of other cores. On other
/// architectures than x86-64 it does nothing.
///
/// A core that writes to what another has read waits for the invalidation. Values that are requested while something else is
/// computed are written without that wait.
#[inline]
pub fn prefetch_mut<V>(values: &mut [V]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in lines(values) {
        // SAFETY: the instruction changes neither memory nor registers and cannot fault; a CPU without it executes a no-op
        // (every x86-64 CPU does one or the other).
        unsafe { std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = values;
}

/// An address in each cache line of the values.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn lines<V>(values: &[V]) -> impl Iterator<Item = *const i8> {
    let first = values.as_ptr().cast::<i8>();
    (0..size_of_val(values)).step_by(LINE).map(move |offset| first.wrapping_add(offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_changes() {
        let mut values: Vec<f64> = (0..100).map(f64::from).collect();
        let before = values.clone();
        for end in [0, 1, 7, 100] {
            prefetch(&values[..end]);
            prefetch_mut(&mut values[..end]);
        }
        prefetch_mut::<()>(&mut [(); 3]);
        assert_eq!(values, before);
    }
}
