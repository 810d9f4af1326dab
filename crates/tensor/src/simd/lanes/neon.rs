//! Eight numbers, by NEON, in two registers.
//!
//! Of the 32 registers there are, six rows of two vectors take 24, the vectors of B four, and a number of A one. With vectors of one
//! register twelve rows would fit as well, but each number of A would be loaded for half the sums.

use std::arch::aarch64::*;

use super::Lanes;
use crate::machine::prefetch_line;
use crate::simd::dispatch::Loop;

pub(crate) struct Neon;

impl Lanes for Neon {
    type Number = f32;
    type Vector = [float32x4_t; 2];

    const COUNT: usize = 8;
    const ROWS: usize = 6;
    const ROWS_OF_FOUR: usize = 2;

    #[inline]
    unsafe fn run<L: Loop>(body: L) -> L::Output {
        // Every AArch64 has the instructions, so the loop is compiled with them anyway.
        body.run()
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> [float32x4_t; 2] {
        // SAFETY: here and below, every AArch64 has the instructions.
        unsafe { [vdupq_n_f32(value); 2] }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> [float32x4_t; 2] {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { [vld1q_f32(from), vld1q_f32(from.add(4))] }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const f32) -> [float32x4_t; 2] {
        // SAFETY: what is read are the first `count` numbers, for which the caller vouches.
        unsafe {
            match count {
                8.. => Self::load(from),
                4.. => [vld1q_f32(from), first_of_four(count - 4, from.add(4))],
                _ => [first_of_four(count, from), vdupq_n_f32(0.0)],
            }
        }
    }

    #[inline(always)]
    unsafe fn store(to: *mut f32, [low, high]: [float32x4_t; 2]) {
        // SAFETY: the caller vouches for eight numbers.
        unsafe {
            vst1q_f32(to, low);
            vst1q_f32(to.add(4), high);
        }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, to: *mut f32, [low, high]: [float32x4_t; 2]) {
        // SAFETY: the numbers that are written are the first `count`, for which the caller vouches.
        unsafe {
            match count {
                8.. => Self::store(to, [low, high]),
                4.. => {
                    vst1q_f32(to, low);
                    store_of_four(count - 4, to.add(4), high);
                }
                _ => store_of_four(count, to, low),
            }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        prefetch_line(from.cast());
    }

    #[inline(always)]
    unsafe fn add(a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: as above.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn mul_add(a: [float32x4_t; 2], b: [float32x4_t; 2], c: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: as above.
        unsafe { [vfmaq_f32(c[0], a[0], b[0]), vfmaq_f32(c[1], a[1], b[1])] }
    }

    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
        for row in [0, 4] {
            for column in [0, 4] {
                // SAFETY: the caller vouches for both squares, of which this is a quarter.
                unsafe {
                    let from = from.offset(row as isize * from_stride).add(column);
                    transpose_four(from, from_stride, to.add(column * to_stride + row), to_stride);
                }
            }
        }
    }
}

/// The first `count` of four lanes from memory, at most three, and zeros in the others.
///
/// # Safety
///
/// There are so many numbers.
#[inline(always)]
unsafe fn first_of_four(count: usize, from: *const f32) -> float32x4_t {
    // SAFETY: the caller vouches for the numbers.
    unsafe {
        let zeros = vdup_n_f32(0.0);
        match count {
            0 => vcombine_f32(zeros, zeros),
            1 => vcombine_f32(vld1_lane_f32::<0>(from, zeros), zeros),
            2 => vcombine_f32(vld1_f32(from), zeros),
            _ => vcombine_f32(vld1_f32(from), vld1_lane_f32::<0>(from.add(2), zeros)),
        }
    }
}

/// The first `count` of four lanes to memory, at most three.
///
/// # Safety
///
/// There are so many numbers, which may be written.
#[inline(always)]
unsafe fn store_of_four(count: usize, to: *mut f32, vector: float32x4_t) {
    // SAFETY: the caller vouches for the numbers.
    unsafe {
        match count {
            0 => {}
            1 => vst1q_lane_f32::<0>(to, vector),
            2 => vst1_f32(to, vget_low_f32(vector)),
            _ => {
                vst1_f32(to, vget_low_f32(vector));
                vst1q_lane_f32::<2>(to.add(2), vector);
            }
        }
    }
}

/// A square of four by four numbers.
///
/// # Safety
///
/// That of [`Lanes::transpose`].
#[inline(always)]
unsafe fn transpose_four(from: *const f32, from_stride: isize, to: *mut f32, to_stride: usize) {
    // SAFETY: the caller vouches for both squares.
    unsafe {
        let mut rows = [vdupq_n_f32(0.0); 4];
        for i in 0..4 {
            rows[i] = vld1q_f32(from.offset(i as isize * from_stride));
        }
        // Columns 0 and 2, or 1 and 3, of two rows.
        let a = vreinterpretq_f64_f32(vtrn1q_f32(rows[0], rows[1]));
        let b = vreinterpretq_f64_f32(vtrn2q_f32(rows[0], rows[1]));
        let c = vreinterpretq_f64_f32(vtrn1q_f32(rows[2], rows[3]));
        let d = vreinterpretq_f64_f32(vtrn2q_f32(rows[2], rows[3]));
        let columns = [vtrn1q_f64(a, c), vtrn1q_f64(b, d), vtrn2q_f64(a, c), vtrn2q_f64(b, d)];
        for i in 0..4 {
            vst1q_f32(to.add(i * to_stride), vreinterpretq_f32_f64(columns[i]));
        }
    }
}
