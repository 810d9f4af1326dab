//! Asking for memory before it is needed.

/// How many bytes the caches move at once.
const LINE: usize = 64;

/// Asks the CPU to bring these values into its second cache, and does not wait. Where that cannot be asked for,
/// it does nothing.
///
/// Samples that are gathered in a random order come from main memory, which takes longer than converting them.
/// Asked for one step ahead, they are there when they are read.
#[inline]
pub fn prefetch<V>(values: &[V]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for offset in (0..size_of_val(values)).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the address lies in `values`; a prefetch reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(values.as_ptr().cast::<i8>().byte_add(offset)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (values, LINE);
}
