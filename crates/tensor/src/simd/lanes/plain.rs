//! Eight numbers in plain Rust: what the other implementations are compared with, bit for bit, and what products are computed with
//! where there are no others. On AArch64 the compiler makes two registers of them.

use std::marker::PhantomData;

use super::Lanes;
use crate::real::Real;
use crate::simd::dispatch::Loop;

pub(crate) struct Plain<T>(PhantomData<T>);

impl<T: Real> Lanes for Plain<T> {
    type Number = T;
    type Vector = [T; 8];

    const COUNT: usize = 8;

    #[inline(always)]
    unsafe fn run<L: Loop>(body: L) -> L::Output {
        body.run()
    }

    #[inline(always)]
    unsafe fn splat(value: T) -> [T; 8] {
        [value; 8]
    }

    #[inline(always)]
    unsafe fn load(from: *const T) -> [T; 8] {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { from.cast::<[T; 8]>().read() }
    }

    #[inline(always)]
    unsafe fn load_first(count: usize, from: *const T) -> [T; 8] {
        // SAFETY: the caller vouches for the first `count` numbers.
        std::array::from_fn(|i| if i < count { unsafe { *from.add(i) } } else { T::zero() })
    }

    #[inline(always)]
    unsafe fn store(to: *mut T, vector: [T; 8]) {
        // SAFETY: the caller vouches for eight numbers.
        unsafe { to.cast::<[T; 8]>().write(vector) }
    }

    #[inline(always)]
    unsafe fn store_first(count: usize, to: *mut T, vector: [T; 8]) {
        for (i, value) in vector.into_iter().enumerate().take(count) {
            // SAFETY: the caller vouches for the first `count` numbers.
            unsafe { *to.add(i) = value }
        }
    }

    #[inline(always)]
    unsafe fn prefetch(_: *const T) {}

    #[inline(always)]
    unsafe fn add(a: [T; 8], b: [T; 8]) -> [T; 8] {
        std::array::from_fn(|i| a[i] + b[i])
    }

    #[inline(always)]
    unsafe fn mul_add(a: [T; 8], b: [T; 8], c: [T; 8]) -> [T; 8] {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }

    #[inline(always)]
    unsafe fn transpose(from: *const T, from_stride: isize, to: *mut T, to_stride: usize) {
        for row in 0..8 {
            for column in 0..8 {
                // SAFETY: the caller vouches for both squares.
                unsafe {
                    *to.add(column * to_stride + row) = *from.offset(row as isize * from_stride).add(column)
                }
            }
        }
    }
}
