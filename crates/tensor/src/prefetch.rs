//! Asking for memory before it is needed.

/// How many bytes the caches move at once.
#[cfg(all(target_arch = "x86_64", not(miri)))]
const LINE: usize = 64;

/// Asks the CPU to bring these values into its second cache, and does not wait. Where that cannot be asked for,
/// it does nothing.
///
/// Samples that are gathered in a random order come from main memory, which takes longer than converting them.
/// Asked for one step ahead, they are there when they are read.
#[inline]
pub fn prefetch<V>(values: &[V]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in lines(values) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: the address lies in `values`; a prefetch reads nothing and cannot fault.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = values;
}

/// Asks the CPU to make these values its own, and does not wait: other cores' caches forget them. Where that cannot be
/// asked for, it does nothing.
///
/// A core that writes to what another has read waits for the other to forget it. Values that are asked for while something
/// else is computed are written without that wait.
#[inline]
pub fn prefetch_mut<V>(values: &mut [V]) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in lines(values) {
        // SAFETY: the instruction changes neither memory nor registers and cannot fault; a CPU that does not know it takes it
        // for none (every x86-64 CPU does one or the other).
        unsafe { std::arch::asm!("prefetchw [{}]", in(reg) line, options(nostack, preserves_flags)) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = values;
}

/// An address in each line of the cache that the values begin.
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
