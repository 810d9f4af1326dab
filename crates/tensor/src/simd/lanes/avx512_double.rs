//! Eight numbers of double precision, by AVX-512.

use std::arch::x86_64::*;

use super::Lanes;
use crate::simd::dispatch::Loop;

pub(crate) struct Avx512Double;

/// The mask of the lowest `count` lanes, or of all if there are fewer.
#[inline(always)]
fn mask(count: usize) -> __mmask8 {
    if count >= 8 { !0 } else { (1 << count) - 1 }
}

impl Lanes for Avx512Double {
    type Number = f64;
    type Vector = __m512d;

    const COUNT: usize = 8;
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
    unsafe fn splat(value: f64) -> __m512d {
        // SAFETY: here and below, the caller has found the instructions.
        unsafe { _mm512_set1_pd(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> __m512d {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { _mm512_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const f64) -> __m512d {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm512_maskz_loadu_pd(mask(count), from) }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f64, vector: __m512d) {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { _mm512_storeu_pd(to, vector) }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, to: *mut f64, vector: __m512d) {
        // SAFETY: the mask leaves out what the caller does not vouch for.
        unsafe { _mm512_mask_storeu_pd(to, mask(count), vector) }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f64) {
        // SAFETY: a request is harmless wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    unsafe fn add(a: __m512d, b: __m512d) -> __m512d {
        // SAFETY: as above.
        unsafe { _mm512_add_pd(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m512d, b: __m512d, c: __m512d) -> __m512d {
        // SAFETY: as above.
        unsafe { _mm512_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        /// Two columns of eight rows.
        #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
        #[inline]
        unsafe fn two_columns(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
            // SAFETY: the caller vouches for both.
            unsafe {
                // Rows i, i + 2, i + 4 and i + 6 in the quarters of a register.
                let mut rows = [_mm512_setzero_pd(); 2];
                for i in 0..2 {
                    let mut quarters = [_mm_setzero_pd(); 4];
                    for q in 0..4 {
                        quarters[q] = _mm_loadu_pd(from.offset((i + 2 * q) as isize * from_stride));
                    }
                    let low = _mm256_set_m128d(quarters[1], quarters[0]);
                    let high = _mm256_set_m128d(quarters[3], quarters[2]);
                    rows[i] = _mm512_insertf64x4::<1>(_mm512_castpd256_pd512(low), high);
                }
                let [even, odd] = rows;
                _mm512_storeu_pd(to, _mm512_unpacklo_pd(even, odd));
                _mm512_storeu_pd(to.add(to_stride), _mm512_unpackhi_pd(even, odd));
            }
        }
        for first in (0..8).step_by(2) {
            // SAFETY: the caller vouches for both squares.
            unsafe { two_columns(from.add(first), from_stride, to.add(first * to_stride), to_stride) }
        }
    }
}
