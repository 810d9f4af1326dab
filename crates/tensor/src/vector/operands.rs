//! What a loop takes from all of its operands at once.
//!
//! None of these functions has the formula of the loop among its type parameters: they are compiled once, where a `map` with a
//! closure in each loop would be compiled once for each formula.

use std::borrow::Borrow;
use std::ops::{Deref, Range};

use crate::real::Real;

/// The number at `i` of each slice.
#[inline(always)]
pub(super) fn at<T: Real, const N: usize>(slices: &[impl Deref<Target = [T]>; N], i: usize) -> [T; N] {
    let mut numbers = [T::zero(); N];
    for k in 0..N {
        numbers[k] = slices[k][i];
    }
    numbers
}

/// The number in the lane `i` of each.
#[inline(always)]
pub(super) fn lane<T: Real, const W: usize, const N: usize>(
    lanes: &[impl Borrow<[T; W]>; N],
    i: usize,
) -> [T; N] {
    let mut numbers = [T::zero(); N];
    for k in 0..N {
        numbers[k] = lanes[k].borrow()[i];
    }
    numbers
}

/// Sets the number in the lane `i` of each.
#[inline(always)]
pub(super) fn set_lane<T: Real, const W: usize, const N: usize>(
    lanes: &mut [[T; W]; N],
    i: usize,
    numbers: [T; N],
) {
    for k in 0..N {
        lanes[k][i] = numbers[k];
    }
}

/// Adds a number to the lane `i` of each.
#[inline(always)]
pub(super) fn add_to_lane<T: Real, const W: usize, const N: usize>(
    lanes: &mut [[T; W]; N],
    i: usize,
    numbers: [T; N],
) {
    for k in 0..N {
        lanes[k][i] += numbers[k];
    }
}

/// The range of each slice.
#[inline(always)]
pub(super) fn part<T, const N: usize>(mut slices: [&[T]; N], range: Range<usize>) -> [&[T]; N] {
    for slice in &mut slices {
        *slice = &slice[range.clone()];
    }
    slices
}

/// The first `n` numbers of each slice.
#[inline(always)]
pub(super) fn part_mut<T, const N: usize>(mut slices: [&mut [T]; N], n: usize) -> [&mut [T]; N] {
    for slice in &mut slices {
        let whole = std::mem::take(slice);
        *slice = &mut whole[..n];
    }
    slices
}

/// `W` numbers of each slice, from `first` on.
#[inline(always)]
pub(super) fn array<T: Real, const W: usize, const N: usize>(
    slices: &[&[T]; N],
    first: usize,
) -> [[T; W]; N] {
    let mut arrays = [[T::zero(); W]; N];
    for k in 0..N {
        arrays[k].copy_from_slice(&slices[k][first..first + W]);
    }
    arrays
}
