//! The list of the columns of which values are marked, for AVX-512.

use std::arch::x86_64::*;

use crate::simd::avx512::{LANES, mask};
use crate::simd::level::{Level, level};

/// Writes the indices of the masks that have one of the bits `any` to the beginning of `indices`, and returns how many they are, if the CPU
/// has AVX-512. What follows them in `indices` may be overwritten; it is fastest with room for 16 more.
///
/// # Panics
///
/// If there are fewer indices than masks.
pub(super) fn list_marked(masks: &[u32], any: u32, indices: &mut [u32]) -> Option<usize> {
    assert!(indices.len() >= masks.len(), "an index for each mask");
    // SAFETY: the CPU has AVX-512, and there is an index for each mask.
    (level() >= Level::Avx512).then(|| unsafe { list(masks, any, indices) })
}

/// # Safety
///
/// The CPU has AVX-512, and there are as many indices as masks.
#[target_feature(enable = "avx512f")]
unsafe fn list(masks: &[u32], any: u32, indices: &mut [u32]) -> usize {
    let any = _mm512_set1_epi32(any as i32);
    let mut columns = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut len = 0;
    for first in (0..masks.len()).step_by(LANES) {
        // SAFETY: a masked access touches only the lanes of its mask, no more indices are written than there were masks, and all lanes only
        // where there is room for them.
        unsafe {
            let lanes = mask(masks.len() - first);
            let bits = _mm512_maskz_loadu_epi32(lanes, masks.as_ptr().add(first).cast());
            let used = _mm512_test_epi32_mask(bits, any);
            let count = used.count_ones() as usize;
            let list = _mm512_maskz_compress_epi32(used, columns);
            let to = indices.as_mut_ptr().add(len);
            if len + LANES <= indices.len() {
                _mm512_storeu_si512(to.cast(), list);
            } else {
                _mm512_mask_storeu_epi32(to.cast(), mask(count), list);
            }
            len += count;
        }
        columns = _mm512_add_epi32(columns, _mm512_set1_epi32(LANES as i32));
    }
    len
}
