//! Sums over the rows of a batch: the gradients of scales and shifts.

use std::ops::Range;

use chainrule_tensor::{Buffer, Real};

use super::scratch::zeroed;

/// The number of rows that are added up in the model's precision. The sums of such blocks are added in double precision, so that the
/// error does not grow with the number of rows.
pub(super) const BLOCK: usize = 32;

/// The sums of one block of rows and the sums of the blocks, of two vectors each. Without many rows they stay empty.
#[derive(Clone, Debug, Default)]
pub(super) struct RowBlocks<T: Real> {
    block: [Buffer<T>; 2],
    total: [Buffer<f64>; 2],
}

impl<T: Real> RowBlocks<T> {
    /// Calls `add` for each block of rows, in order, to add what these rows add to the two `sums`.
    pub(super) fn add(
        &mut self,
        rows: usize,
        mut sums: [&mut [T]; 2],
        mut add: impl FnMut(Range<usize>, [&mut [T]; 2]),
    ) {
        if rows <= BLOCK {
            return add(0..rows, sums);
        }
        let Self { block, total } = self;
        for (total, sums) in total.iter_mut().zip(&sums) {
            zeroed(total, sums.len());
        }
        for first in (0..rows).step_by(BLOCK) {
            let mut blocks = block.iter_mut().zip(&sums).map(|(block, sums)| zeroed(block, sums.len()));
            let (Some(left), Some(right)) = (blocks.next(), blocks.next()) else { unreachable!("two") };
            add(first..rows.min(first + BLOCK), [left, right]);
            for (total, block) in total.iter_mut().zip(&*block) {
                total.iter_mut().zip(block.iter()).for_each(|(total, value)| *total += value.as_f64());
            }
        }
        for (sums, total) in sums.iter_mut().zip(total) {
            sums.iter_mut().zip(total.iter()).for_each(|(sum, &total)| *sum += T::of(total));
        }
    }
}
