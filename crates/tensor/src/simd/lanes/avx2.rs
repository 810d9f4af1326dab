//! Eight numbers, by AVX2 and FMA.

use std::arch::x86_64::*;

use super::Lanes;
use super::roots::{CBRT_START, Roots};
use crate::simd::dispatch::Loop;

pub(crate) struct Avx2;

/// Eight lanes that are chosen, followed by eight that are not.
static CHOSEN: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];

impl Lanes for Avx2 {
    type Number = f32;
    type Vector = __m256;

    const COUNT: usize = 8;
    const ROWS: usize = 6;

    #[inline]
    unsafe fn run<L: Loop>(body: L) -> L::Output {
        #[target_feature(enable = "avx2,fma")]
        fn with_avx2<L: Loop>(body: L) -> L::Output {
            body.run()
        }
        // SAFETY: the caller has found the instructions.
        unsafe { with_avx2(body) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> __m256 {
        // SAFETY: here and below, the caller has found the instructions.
        unsafe { _mm256_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> __m256 {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const f32) -> __m256 {
        // SAFETY: eight numbers of the static begin at 8 - count, and the mask leaves out what the caller does not vouch for.
        unsafe {
            let mask = _mm256_loadu_si256(CHOSEN.as_ptr().add(8 - count.min(8)).cast());
            _mm256_maskload_ps(from, mask)
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, vector: __m256) {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { _mm256_storeu_ps(to, vector) }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, mut to: *mut f32, vector: __m256) {
        // A masked store takes an AMD CPU ten times as long as these.
        // SAFETY: the numbers that are written are the first `count`, for which the caller vouches.
        unsafe {
            if count >= 8 {
                return _mm256_storeu_ps(to, vector);
            }
            let mut rest = _mm256_castps256_ps128(vector);
            if count & 4 != 0 {
                _mm_storeu_ps(to, rest);
                rest = _mm256_extractf128_ps::<1>(vector);
                to = to.add(4);
            }
            if count & 2 != 0 {
                _mm_storel_pd(to.cast(), _mm_castps_pd(rest));
                rest = _mm_movehl_ps(rest, rest);
                to = to.add(2);
            }
            if count & 1 != 0 {
                _mm_store_ss(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: a request is harmless wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_add_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        /// Four columns of eight rows.
        #[target_feature(enable = "avx2,fma")]
        #[inline]
        unsafe fn four_columns(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
            // SAFETY: the caller vouches for both.
            unsafe {
                // Rows i and i + 4 in the halves of a register.
                let mut rows = [_mm256_setzero_ps(); 4];
                for i in 0..4 {
                    let row = from.offset(i as isize * from_stride);
                    rows[i] = _mm256_set_m128(_mm_loadu_ps(row.offset(4 * from_stride)), _mm_loadu_ps(row));
                }
                let a = _mm256_castps_pd(_mm256_unpacklo_ps(rows[0], rows[1]));
                let b = _mm256_castps_pd(_mm256_unpacklo_ps(rows[2], rows[3]));
                let c = _mm256_castps_pd(_mm256_unpackhi_ps(rows[0], rows[1]));
                let d = _mm256_castps_pd(_mm256_unpackhi_ps(rows[2], rows[3]));
                let columns = [
                    _mm256_unpacklo_pd(a, b),
                    _mm256_unpackhi_pd(a, b),
                    _mm256_unpacklo_pd(c, d),
                    _mm256_unpackhi_pd(c, d),
                ];
                for i in 0..4 {
                    _mm256_storeu_ps(to.add(i * to_stride), _mm256_castpd_ps(columns[i]));
                }
            }
        }
        // SAFETY: the caller vouches for both squares.
        unsafe {
            four_columns(from, from_stride, to, to_stride);
            four_columns(from.add(4), from_stride, to.add(4 * to_stride), to_stride);
        }
    }
}

impl Roots for Avx2 {
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: here and below, the caller has found the instructions.
        unsafe { _mm256_sub_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_mul_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn sub_product(c: __m256, a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }

    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_div_ps(a, b) }
    }

    #[inline(always)]
    unsafe fn at_most(a: __m256, limit: __m256) -> __m256 {
        // If an operand is NaN, the instruction returns the second.
        // SAFETY: as above.
        unsafe { _mm256_min_ps(limit, a) }
    }

    #[inline(always)]
    unsafe fn at_least(a: __m256, limit: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe { _mm256_max_ps(limit, a) }
    }

    #[inline(always)]
    unsafe fn sqrt(x: __m256) -> __m256 {
        /// What makes the smallest integer of the bits of the smallest normal number.
        const TO_LEAST: i32 = i32::MIN.wrapping_sub(f32::MIN_POSITIVE.to_bits() as i32);
        const INFINITY: i32 = TO_LEAST.wrapping_add(f32::INFINITY.to_bits() as i32);
        // SAFETY: as above.
        unsafe {
            // r (1 - e)^(-1/2) is the root, if r = x y has an error of e = 1 - r y.
            let y = _mm256_rsqrt_ps(x);
            let r = _mm256_mul_ps(x, y);
            let e = _mm256_fnmadd_ps(r, y, _mm256_set1_ps(1.0));
            let tail = _mm256_fmadd_ps(e, _mm256_set1_ps(0.375), _mm256_set1_ps(0.5));
            let r = _mm256_fmadd_ps(_mm256_mul_ps(r, e), tail, r);
            let order = _mm256_add_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(TO_LEAST));
            let normal = _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(INFINITY), order));
            if _mm256_movemask_ps(normal) == 0xff {
                return r;
            }
            _mm256_blendv_ps(_mm256_sqrt_ps(x), r, normal)
        }
    }

    #[inline(always)]
    unsafe fn cbrt_estimate(x: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let upper = _mm256_srli_epi32::<16>(_mm256_castps_si256(x));
            let third = _mm256_madd_epi16(upper, _mm256_set1_epi32(0x5555));
            _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(CBRT_START), third))
        }
    }

    #[inline(always)]
    unsafe fn with_own_roots(roots: __m256, r: __m256, x: __m256) -> __m256 {
        // SAFETY: as above.
        unsafe {
            let finite = _mm256_cmp_ps::<_CMP_LT_OQ>(x, _mm256_set1_ps(f32::INFINITY));
            _mm256_blendv_ps(r, roots, finite)
        }
    }
}
