//! Four numbers of double precision, by AVX2 and FMA.

use std::arch::x86_64::*;

use super::Lanes;
use crate::simd::dispatch::Loop;

pub(crate) struct Avx2Double;

/// Four lanes that are chosen, followed by four that are not.
static CHOSEN: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

impl Lanes for Avx2Double {
    type Number = f64;
    type Vector = __m256d;

    const COUNT: usize = 4;
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
    unsafe fn splat(value: f64) -> __m256d {
        // SAFETY: here and below, the caller has found the instructions.
        unsafe { _mm256_set1_pd(value) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> __m256d {
        // SAFETY: the caller vouches for four numbers.
        unsafe { _mm256_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const f64) -> __m256d {
        // SAFETY: four numbers of the static begin at 4 - count, and the mask leaves out what the caller does not vouch for.
        unsafe {
            let mask = _mm256_loadu_si256(CHOSEN.as_ptr().add(4 - count.min(4)).cast());
            _mm256_maskload_pd(from, mask)
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f64, vector: __m256d) {
        // SAFETY: the caller vouches for four numbers.
        unsafe { _mm256_storeu_pd(to, vector) }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, mut to: *mut f64, vector: __m256d) {
        // A masked store takes an AMD CPU ten times as long as these.
        // SAFETY: the numbers that are written are the first `count`, for which the caller vouches.
        unsafe {
            if count >= 4 {
                return _mm256_storeu_pd(to, vector);
            }
            let mut rest = _mm256_castpd256_pd128(vector);
            if count & 2 != 0 {
                _mm_storeu_pd(to, rest);
                rest = _mm256_extractf128_pd::<1>(vector);
                to = to.add(2);
            }
            if count & 1 != 0 {
                _mm_store_sd(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f64) {
        // SAFETY: a request is harmless wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }

    #[inline(always)]
    unsafe fn add(a: __m256d, b: __m256d) -> __m256d {
        // SAFETY: as above.
        unsafe { _mm256_add_pd(a, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(a: __m256d, b: __m256d, c: __m256d) -> __m256d {
        // SAFETY: as above.
        unsafe { _mm256_fmadd_pd(a, b, c) }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        // SAFETY: the caller vouches for both squares.
        unsafe {
            let mut rows = [_mm256_setzero_pd(); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = _mm256_loadu_pd(from.offset(i as isize * from_stride));
            }
            // Columns 0 and 2, or 1 and 3, of two rows.
            let [a, b] = [_mm256_unpacklo_pd(rows[0], rows[1]), _mm256_unpacklo_pd(rows[2], rows[3])];
            let [c, d] = [_mm256_unpackhi_pd(rows[0], rows[1]), _mm256_unpackhi_pd(rows[2], rows[3])];
            _mm256_storeu_pd(to, _mm256_permute2f128_pd::<0x20>(a, b));
            _mm256_storeu_pd(to.add(to_stride), _mm256_permute2f128_pd::<0x20>(c, d));
            _mm256_storeu_pd(to.add(2 * to_stride), _mm256_permute2f128_pd::<0x31>(a, b));
            _mm256_storeu_pd(to.add(3 * to_stride), _mm256_permute2f128_pd::<0x31>(c, d));
        }
    }
}
