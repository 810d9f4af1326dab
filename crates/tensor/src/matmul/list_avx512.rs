//! The list of the numbers that are not 0, for AVX-512 in single precision.

use std::arch::x86_64::*;

use crate::simd::avx512::{LANES, mask};
use crate::simd::level::{Level, level};

/// Writes the indices of the values that are not 0, NaN among them, to the beginning of `indices`, and returns how many they are, if the CPU
/// has AVX-512. What follows them in `indices` may be overwritten.
///
/// # Panics
///
/// If there are fewer indices than values.
pub(crate) fn list_nonzeros(values: &[f32], indices: &mut [u32]) -> Option<usize> {
    assert!(indices.len() >= values.len(), "an index for each value");
    // SAFETY: the CPU has AVX-512, and there is an index for each value.
    (level() >= Level::Avx512).then(|| unsafe { list(values, indices) })
}

/// # Safety
///
/// The CPU has AVX-512, and there are as many indices as values.
#[target_feature(enable = "avx512f")]
unsafe fn list(values: &[f32], indices: &mut [u32]) -> usize {
    let mut columns = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut len = 0;
    for first in (0..values.len()).step_by(LANES) {
        // SAFETY: a masked access touches only the lanes of its mask, and no more indices are written than there were values.
        unsafe {
            let lanes = mask(values.len() - first);
            let bits = _mm512_maskz_loadu_epi32(lanes, values.as_ptr().add(first).cast());
            // Without the sign.
            let bits = _mm512_slli_epi32::<1>(bits);
            let used = _mm512_test_epi32_mask(bits, bits);
            let count = used.count_ones() as usize;
            let list = _mm512_maskz_compress_epi32(used, columns);
            _mm512_mask_storeu_epi32(indices.as_mut_ptr().add(len).cast(), mask(count), list);
            len += count;
        }
        columns = _mm512_add_epi32(columns, _mm512_set1_epi32(LANES as i32));
    }
    len
}
