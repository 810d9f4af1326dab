//! Four numbers of double precision, by NEON, in two registers.

use std::arch::aarch64::*;

use super::Lanes;
use crate::machine::prefetch_line;
use crate::simd::dispatch::Loop;

pub(crate) struct NeonDouble;

impl Lanes for NeonDouble {
    type Number = f64;
    type Vector = [float64x2_t; 2];

    const COUNT: usize = 4;
    const ROWS: usize = 6;
    const ROWS_OF_FOUR: usize = 2;

    #[inline]
    unsafe fn run<L: Loop>(body: L) -> L::Output {
        // Every AArch64 has the instructions, so the loop is compiled with them anyway.
        body.run()
    }

    #[inline(always)]
    unsafe fn splat(value: f64) -> [float64x2_t; 2] {
        // SAFETY: here and below, every AArch64 has the instructions.
        unsafe { [vdupq_n_f64(value); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> [float64x2_t; 2] {
        // SAFETY: the caller vouches for four numbers.
        unsafe { [vld1q_f64(from), vld1q_f64(from.add(2))] }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const f64) -> [float64x2_t; 2] {
        // SAFETY: what is read are the first `count` numbers, for which the caller vouches.
        unsafe {
            let zeros = vdupq_n_f64(0.0);
            match count {
                0 => [zeros; 2],
                1 => [vld1q_lane_f64::<0>(from, zeros), zeros],
                2 => [vld1q_f64(from), zeros],
                3 => [vld1q_f64(from), vld1q_lane_f64::<0>(from.add(2), zeros)],
                _ => Self::load(from),
            }
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f64, [low, high]: [float64x2_t; 2]) {
        // SAFETY: the caller vouches for four numbers.
        unsafe {
            vst1q_f64(to, low);
            vst1q_f64(to.add(2), high);
        }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, to: *mut f64, [low, high]: [float64x2_t; 2]) {
        // SAFETY: the numbers that are written are the first `count`, for which the caller vouches.
        unsafe {
            match count {
                0 => {}
                1 => vst1q_lane_f64::<0>(to, low),
                2 => vst1q_f64(to, low),
                3 => {
                    vst1q_f64(to, low);
                    vst1q_lane_f64::<0>(to.add(2), high);
                }
                _ => Self::store(to, [low, high]),
            }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f64) {
        prefetch_line(from.cast());
    }

    #[inline(always)]
    unsafe fn add(a: [float64x2_t; 2], b: [float64x2_t; 2]) -> [float64x2_t; 2] {
        // SAFETY: as above.
        unsafe { [vaddq_f64(a[0], b[0]), vaddq_f64(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul_add(a: [float64x2_t; 2], b: [float64x2_t; 2], c: [float64x2_t; 2]) -> [float64x2_t; 2] {
        // SAFETY: as above.
        unsafe { [vfmaq_f64(c[0], a[0], b[0]), vfmaq_f64(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f64, from_stride: isize, to: *mut f64, to_stride: usize) {
        for row in [0, 2] {
            for column in [0, 2] {
                // SAFETY: the caller vouches for both squares, of which this is a quarter.
                unsafe {
                    let from = from.offset(row as isize * from_stride).add(column);
                    let to = to.add(column * to_stride + row);
                    let (upper, lower) = (vld1q_f64(from), vld1q_f64(from.offset(from_stride)));
                    vst1q_f64(to, vtrn1q_f64(upper, lower));
                    vst1q_f64(to.add(to_stride), vtrn2q_f64(upper, lower));
                }
            }
        }
    }
}
