//! Prefetching memory before it is needed.

/// The size of a cache line in bytes.
const LINE: usize = 64;

/// Requests these values for the CPU's second cache, without waiting. On other architectures than x86-64 and AArch64 it does nothing.
///
/// Samples that are gathered in a random order come from main memory, which takes longer than converting them. Prefetched one
/// step ahead, they are in the cache when they are read.
#[inline]
pub fn prefetch<V>(values: &[V]) {
    lines(values).for_each(request::for_reading);
}

/// Requests these values for writing, without waiting: they are invalidated in the caches of other cores. On other
/// architectures than x86-64 and AArch64 it does nothing.
///
/// A core that writes to what another has read waits for the invalidation. Values that are requested while something else is
/// computed are written without that wait.
#[inline]
pub fn prefetch_mut<V>(values: &mut [V]) {
    lines(values).for_each(request::for_writing);
}

/// Requests the cache line of an address, which may be anything, as [`prefetch`] does.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) fn prefetch_line(address: *const i8) {
    request::for_reading(address);
}

/// An address in each cache line of the values.
#[inline]
fn lines<V>(values: &[V]) -> impl Iterator<Item = *const i8> {
    let first = values.as_ptr().cast::<i8>();
    (0..size_of_val(values)).step_by(LINE).map(move |offset| first.wrapping_add(offset))
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod request {
    use std::arch::asm;
    use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

    #[inline(always)]
    pub(super) fn for_reading(line: *const i8) {
        // SAFETY: a prefetch reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line) };
    }

    #[inline(always)]
    pub(super) fn for_writing(line: *const i8) {
        // SAFETY: the instruction changes neither memory nor registers and cannot fault; a CPU without it executes a no-op
        // (every x86-64 CPU does one or the other).
        unsafe { asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags)) };
    }
}

#[cfg(all(target_arch = "aarch64", not(miri)))]
mod request {
    use std::arch::asm;

    #[inline(always)]
    pub(super) fn for_reading(line: *const i8) {
        // SAFETY: the instruction changes neither memory nor registers, and cannot fault.
        unsafe {
            asm!("prfm pldl2keep, [{}]", in(reg) line.addr(), options(nomem, nostack, preserves_flags))
        };
    }

    #[inline(always)]
    pub(super) fn for_writing(line: *const i8) {
        // SAFETY: as above.
        unsafe {
            asm!("prfm pstl1keep, [{}]", in(reg) line.addr(), options(nomem, nostack, preserves_flags))
        };
    }
}

#[cfg(any(not(any(target_arch = "x86_64", target_arch = "aarch64")), miri))]
mod request {
    pub(super) fn for_reading(_: *const i8) {}

    pub(super) fn for_writing(_: *const i8) {}
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
