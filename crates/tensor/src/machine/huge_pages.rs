//! Memory in huge pages.

/// Below this size there is nothing to gain.
const LARGE: usize = 4 << 20;

/// Moves many bytes to huge pages, if the system provides them on request (Linux); otherwise, or without memory for a copy, returns the
/// bytes unchanged.
///
/// Samples that are read in a random order are in as many different pages, and the address translation of a page of 4 kB takes as
/// long as reading a sample. The CPU can cache the translations of all pages of 2 MB, since they are few.
pub fn in_huge_pages(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() < LARGE || cfg!(miri) {
        return bytes;
    }
    let mut moved = Vec::new();
    if moved.try_reserve_exact(bytes.len()).is_err() {
        return bytes;
    }
    // Before anything is written, since that fixes the size of a page.
    advise(&mut moved);
    moved.extend_from_slice(&bytes);
    moved
}

#[cfg(all(target_os = "linux", not(miri)))]
fn advise(memory: &mut Vec<u8>) {
    use std::ffi::{c_int, c_void};
    /// `MADV_HUGEPAGE`, the same on every Linux that Rust supports.
    const HUGE_PAGE: c_int = 14;
    /// A multiple of the size of small pages, on every architecture.
    const ALIGN: usize = 1 << 16;
    unsafe extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    let memory = memory.spare_capacity_mut();
    let skipped = memory.as_ptr().align_offset(ALIGN);
    let Some(length) = memory.len().checked_sub(skipped).filter(|&length| length > 0) else { return };
    // SAFETY: the range is within memory that this vector owns, and the advice does not change its contents. A system that
    // does not know it returns an error, and nothing changes.
    unsafe { madvise(memory.as_mut_ptr().add(skipped).cast(), length, HUGE_PAGE) };
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise(_: &mut Vec<u8>) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_stay_the_same() {
        for len in [0, 10, LARGE - 1, LARGE + 12_345] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
            assert_eq!(in_huge_pages(bytes.clone()), bytes);
        }
    }
}
