//! Numbers in plain Rust: what the other implementations are compared with, bit for bit, and what products are computed with
//! where there are no others. On AArch64 the compiler makes two registers of NEON of them.

use std::marker::PhantomData;

use super::Lanes;
use crate::real::Real;
use crate::simd::dispatch::Loop;

/// One number, in one row, on x86-64: without FMA each sum of a product is a call of a function there, and more of them would only be
/// more code. Elsewhere the compiler has registers for four rows of two vectors of eight.
const COUNT: usize = if cfg!(target_arch = "x86_64") { 1 } else { 8 };
const ROWS: usize = if cfg!(target_arch = "x86_64") { 1 } else { 4 };

pub(crate) struct Plain<T>(PhantomData<T>);

impl<T: Real> Lanes for Plain<T> {
    type Number = T;
    type Vector = [T; COUNT];

    const COUNT: usize = COUNT;
    const ROWS: usize = ROWS;

    #[inline(always)]
    unsafe fn run<L: Loop>(body: L) -> L::Output {
        body.run()
    }

    #[inline(always)]
    unsafe fn splat(value: T) -> [T; COUNT] {
        [value; COUNT]
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> [T; COUNT] {
        // SAFETY: the caller vouches for all of them.
        unsafe { from.cast::<[T; COUNT]>().read() }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const T) -> [T; COUNT] {
        // SAFETY: the caller vouches for the first `count` numbers.
        std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { T::zero() })
    }

    #[inline(always)]
    unsafe fn store(to: *mut T, vector: [T; COUNT]) {
        // SAFETY: the caller vouches for all of them.
        unsafe { to.cast::<[T; COUNT]>().write(vector) }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, to: *mut T, vector: [T; COUNT]) {
        for (i, value) in vector.into_iter().enumerate().take(count) {
            // SAFETY: the caller vouches for the first `count` numbers.
            unsafe { *to.add(i) = value }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const T) {}

    #[inline(always)]
    unsafe fn add(a: [T; COUNT], b: [T; COUNT]) -> [T; COUNT] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn mul_add(a: [T; COUNT], b: [T; COUNT], c: [T; COUNT]) -> [T; COUNT] {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }

    #[inline(always)]
    unsafe fn transpose(from: *const T, from_stride: isize, to: *mut T, to_stride: usize) {
        for row in 0..COUNT {
            for column in 0..COUNT {
                // SAFETY: the caller vouches for both squares.
                unsafe {
                    *to.add(column * to_stride + row) = *from.offset(row as isize * from_stride).add(column)
                }
            }
        }
    }
}
