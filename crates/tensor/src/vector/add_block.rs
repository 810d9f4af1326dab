//! Sums of many blocks of numbers, position by position.

use super::blocks::add;
use crate::each;
use crate::real::Real;

/// `sums += block`, number by number, where `excess` holds what rounding has added to each of the sums too much: zeros before the
/// first block. So the error of a sum does not grow with the number of blocks.
///
/// # Panics
///
/// If a slice is shorter than `sums`.
pub fn add_block<T: Real>(block: &[T], sums: &mut [T], excess: &mut [T]) {
    each!([sums, excess] = |block| add(block, sums, excess));
}
