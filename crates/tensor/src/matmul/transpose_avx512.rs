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
            let lines: [__m512; LANES] = std::array::from_fn(|r| {
                if r < rows {
                    let values = values.offset(r as isize * stride).add(column);
                    _mm512_maskz_loadu_ps(mask(columns), values)
                } else {
                    _mm512_setzero_ps()
                }
            });
            for (c, line) in transposed(lines).into_iter().enumerate().take(columns) {
                _mm512_storeu_ps(panel.add((column + c) * width), line);
            }
        }
    }
}

/// The transpose of 16 by 16 values: first within pairs of rows, then fours, then between quarters.
#[target_feature(enable = "avx512f")]
#[inline]
pub(crate) fn transposed(rows: [__m512; LANES]) -> [__m512; LANES] {
    // After this, quarter q of `fours[4g + c]` holds column 4q + c of rows 4g to 4g + 3.
    let fours: [__m512; LANES] = std::array::from_fn(|i| {
        let (group, column) = (i / 4 * 4, i % 4);
        let pair = |first: usize| {
            let (a, b) = (rows[group + first], rows[group + first + 1]);
            _mm512_castps_pd(if column < 2 { _mm512_unpacklo_ps(a, b) } else { _mm512_unpackhi_ps(a, b) })
        };
        let (low, high) = (pair(0), pair(2));
        _mm512_castpd_ps(match column % 2 {
            0 => _mm512_unpacklo_pd(low, high),
            _ => _mm512_unpackhi_pd(low, high),
        })
    });
    std::array::from_fn(|column| {
        let (quarter, c) = (column / 4, column % 4);
        let [a, b, d, e] = [fours[c], fours[4 + c], fours[8 + c], fours[12 + c]];
        // Quarters 0 and 2, or 1 and 3, of two groups of rows; then the requested one of all four.
        match quarter {
            0 => _mm512_shuffle_f32x4::<0x88>(
                _mm512_shuffle_f32x4::<0x88>(a, b),
                _mm512_shuffle_f32x4::<0x88>(d, e),
            ),
            1 => _mm512_shuffle_f32x4::<0x88>(
                _mm512_shuffle_f32x4::<0xdd>(a, b),
                _mm512_shuffle_f32x4::<0xdd>(d, e),
            ),
            2 => _mm512_shuffle_f32x4::<0xdd>(
                _mm512_shuffle_f32x4::<0x88>(a, b),
                _mm512_shuffle_f32x4::<0x88>(d, e),
            ),
            _ => _mm512_shuffle_f32x4::<0xdd>(
                _mm512_shuffle_f32x4::<0xdd>(a, b),
                _mm512_shuffle_f32x4::<0xdd>(d, e),
            ),
        }
    })
}
