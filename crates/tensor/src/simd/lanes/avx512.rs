//! Sixteen numbers, by AVX-512.

use std::arch::x86_64::*;

use super::Lanes;
use super::roots::{CBRT_START, Roots};
use crate::simd::avx512::mask;
use crate::simd::dispatch::Loop;

pub(crate) struct Avx512;

impl Lanes for Avx512 {
    type Number = f32;
    type Vector = __m512;

    const COUNT: usize = 16;
    const ROWS: usize = 12;

    #[inline]
    unsafe fn run<L: Loop>(body: L) -> L::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma")]
        fn with_avx512<L: Loop>(body: L) -> L::Output {
            body.run()
        }
        // SAFETY: the caller has found the instructions.
        unsafe { with_avx512(body) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m512 {
        // SAFETY: here and below, the caller has found the instructions.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m512 {
        // SAFETY: the caller vouches for sixteen numbers.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const f32) -> __m512 {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm512_maskz_loadu_ps(mask(count), from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: __m512) {
        // SAFETY: the caller vouches for sixteen numbers.
        unsafe { _mm512_storeu_ps(to, vector) }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, to: *mut f32, vector: __m512) {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm512_mask_storeu_ps(to, mask(count), vector) }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: a request is harmless wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        /// Four columns of sixteen rows.
        #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
        #[inline]
        unsafe fn four_columns(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
            // SAFETY: the caller vouches for both.
            unsafe {
                // Rows i, i + 4, i + 8 and i + 12 in the quarters of a register.
                let mut rows = [_mm512_setzero_ps(); 4];
                for i in 0..4 {
                    let mut quarters = [_mm_setzero_ps(); 4];
                    for q in 0..4 {
                        quarters[q] = _mm_loadu_ps(from.offset((i + 4 * q) as isize * from_stride));
                    }
                    let low = _mm256_set_m128(quarters[1], quarters[0]);
                    let high = _mm256_set_m128(quarters[3], quarters[2]);
                    rows[i] = _mm512_insertf32x8::<1>(_mm512_castps256_ps512(low), high);
                }
                let a = _mm512_castps_pd(_mm512_unpacklo_ps(rows[0], rows[1]));
                let b = _mm512_castps_pd(_mm512_unpacklo_ps(rows[2], rows[3]));
                let c = _mm512_castps_pd(_mm512_unpackhi_ps(rows[0], rows[1]));
                let d = _mm512_castps_pd(_mm512_unpackhi_ps(rows[2], rows[3]));
                let columns = [
                    _mm512_unpacklo_pd(a, b),
                    _mm512_unpackhi_pd(a, b),
                    _mm512_unpacklo_pd(c, d),
                    _mm512_unpackhi_pd(c, d),
                ];
                for i in 0..4 {
                    _mm512_storeu_ps(to.add(i * to_stride), _mm512_castpd_ps(columns[i]));
                }
            }
        }
        for first in (0..16).step_by(4) {
            // SAFETY: the caller vouches for both squares.
            unsafe { four_columns(from.add(first), from_stride, to.add(first * to_stride), to_stride) }
        }
    }
}

/// The roots, but for the numbers that are their own roots: 0, -0 and infinity.
///
/// # Safety
///
/// As of [`Lanes`].
#[inline(always)]
unsafe fn or_own_roots(roots: __m512, x: __m512) -> __m512 {
    /// Four bits for each class of numbers, from which the instruction takes the second operand where they are 1.
    const CLASSES: i32 = 1 << (4 * 2) | 1 << (4 * 5);
    // SAFETY: the caller has found the instructions.
    unsafe { _mm512_fixupimm_ps::<0>(roots, x, _mm512_set1_epi32(CLASSES)) }
}

impl Roots for Avx512 {
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: here and below, the caller has found the instructions.
        unsafe { _mm512_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub_product(c: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_div_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn at_most(a: __m512, limit: __m512) -> __m512 {
        // If an operand is NaN, the instruction returns the second.
        // SAFETY: as above.
        unsafe { _mm512_min_ps(limit, a) }
    }

    #[inline(always)]
    unsafe fn at_least(a: __m512, limit: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { _mm512_max_ps(limit, a) }
    }

    #[inline(always)]
    unsafe fn sqrt(x: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe {
            // Newton: if r = x y has an error of e = 1 - r y, then r (1 + e / 2) has one of e².
            let y = _mm512_rsqrt14_ps(x);
            let r = _mm512_mul_ps(x, y);
            let e = _mm512_fnmadd_ps(r, y, _mm512_set1_ps(1.0));
            let half = _mm512_mul_ps(r, _mm512_set1_ps(0.5));
            let r = _mm512_fmadd_ps(half, e, r);
            or_own_roots(r, x)
        }
    }

    #[inline(always)]
    unsafe fn cbrt_estimate(x: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe {
            let upper = _mm512_srli_epi32::<16>(_mm512_castps_si512(x));
            let third = _mm512_madd_epi16(upper, _mm512_set1_epi32(0x5555));
            _mm512_castsi512_ps(_mm512_sub_epi32(_mm512_set1_epi32(CBRT_START), third))
        }
    }

    #[inline(always)]
    unsafe fn with_own_roots(roots: __m512, _: __m512, x: __m512) -> __m512 {
        // SAFETY: as above.
        unsafe { or_own_roots(roots, x) }
    }
}
