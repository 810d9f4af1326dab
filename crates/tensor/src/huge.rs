//! Memory in large pages.

/// Below this size there is nothing to gain.
const LARGE: usize = 4 << 20;

/// The same bytes, where the system gives large pages for the asking (Linux) in such, if there are many.
///
/// Samples that are read in a random order lie in as many pages, and to find a page of 4 kB takes as long as to read a sample.
/// Pages of 2 MB are few enough for the CPU to know where all of them are.
pub fn in_huge_pages(bytes: Vec<u8>) -> Vec<u8> {
    if bytes.len() < LARGE || cfg!(miri) {
        return bytes;
    }
    let mut moved = Vec::with_capacity(bytes.len());
    // Before anything is written: a page has its size from then on.
    advise(&mut moved);
    moved.extend_from_slice(&bytes);
    moved
}

#[cfg(all(target_os = "linux", not(miri)))]
fn advise(room: &mut Vec<u8>) {
    use std::ffi::{c_int, c_void};
    /// `MADV_HUGEPAGE` of every Linux but Alpha's, which Rust does not run on.
    const HUGE_PAGE: c_int = 14;
    /// A multiple of every size of small page.
    const ALIGN: usize = 1 << 16;
    unsafe extern "C" {
        fn madvise(start: *mut c_void, length: usize, advice: c_int) -> c_int;
    }
    let room = room.spare_capacity_mut();
    let skipped = room.as_ptr().align_offset(ALIGN);
    let Some(length) = room.len().checked_sub(skipped).filter(|&length| length > 0) else { return };
    // SAFETY: the range lies within memory that is this vector's own, and the advice changes nothing of what it holds.
    // Where the system does not know it, it says so, and all stays as it was.
    unsafe { madvise(room.as_mut_ptr().add(skipped).cast(), length, HUGE_PAGE) };
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
