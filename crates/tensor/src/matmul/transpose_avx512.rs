//! Transposing 16 by 16 values in registers, for AVX-512 in single precision.

use std::arch::x86_64::*;

use crate::simd::avx512::{LANES, mask};

/// Writes up to 16 rows of `columns` values, `stride` apart, as the first columns of the rows of `panel`, which are `width`
/// apart. Columns for which there are no rows become zeros.
///
/// # Safety
///
/// The values are in bounds, the panel has a row of 16 values for each column; the CPU has
/// AVX-512.
#[target_feature(enable = "avx512f")]
pub(crate) unsafe fn transpose(
    values: *const f32,
    stride: isize,
    [rows, columns]: [usize; 2],
    panel: *mut f32,
    width: usize,
) {
    // SAFETY: rows beyond `rows` are not read, and the masks leave out columns beyond `columns`.
    unsafe {
        for column in (0..columns).step_by(LANES) {
            let columns = (columns - column).min(LANES);
            let mut lines = [_mm512_setzero_ps(); LANES];
            for r in 0..LANES {
                if r < rows {
                    let values = values.offset(r as isize * stride).add(column);
                    lines[r] = _mm512_maskz_loadu_ps(mask(columns), values);
                }
            }
            let lines = transposed(lines);
            for c in 0..LANES {
                if c < columns {
                    _mm512_storeu_ps(panel.add((column + c) * width), lines[c]);
                }
            }
        }
    }
}

/// The transpose of 16 by 16 values: first within pairs of rows, then fours, then between quarters.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    // After this, quarter q of `fours[4g + c]` holds column 4q + c of rows 4g to 4g + 3.
    let mut fours = [_mm512_setzero_ps(); LANES];
    for group in (0..LANES).step_by(4) {
        let (a, b) = (rows[group], rows[group + 1]);
        let (c, d) = (rows[group + 2], rows[group + 3]);
        let low = [_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpacklo_ps(c, d))];
        let high = [_mm512_castps_pd(_mm512_unpackhi_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d))];
        fours[group] = _mm512_castpd_ps(_mm512_unpacklo_pd(low[0], low[1]));
        fours[group + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low[0], low[1]));
        fours[group + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high[0], high[1]));
        fours[group + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high[0], high[1]));
    }
    let mut columns = [_mm512_setzero_ps(); LANES];
    for c in 0..4 {
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        // Quarters 0 and 2, or 1 and 3, of two groups of rows; then the requested one of all four.
        let even = [_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(d, e)];
        let odd = [_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(d, e)];
        columns[c] = _mm512_shuffle_f32x4::<0x88>(even[0], even[1]);
        columns[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd[0], odd[1]);
        columns[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even[0], even[1]);
        columns[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd[0], odd[1]);
    }
    columns
}
