//! Loops over the columns of a matrix, in blocks whose width is known while compiling.

use super::lanes::LANES;

/// A loop over a block of columns in all rows.
pub(super) trait ColumnBlock {
    /// Runs it for `N` columns from `first` on. Since `N` is a constant, the values of the columns stay in registers while the rows
    /// are read.
    fn run<const N: usize>(&mut self, first: usize);
}

/// Runs a loop for all columns, in blocks as wide as possible, but not wider than `widest`, which is at least `LANES`.
#[inline(always)]
pub(super) fn for_each_block(widest: usize, columns: usize, mut block: impl ColumnBlock) {
    let mut first = 0;
    while widest >= 8 * LANES && columns - first >= 8 * LANES {
        block.run::<{ 8 * LANES }>(first);
        first += 8 * LANES;
    }
    while widest >= 4 * LANES && columns - first >= 4 * LANES {
        block.run::<{ 4 * LANES }>(first);
        first += 4 * LANES;
    }
    while widest >= 2 * LANES && columns - first >= 2 * LANES {
        block.run::<{ 2 * LANES }>(first);
        first += 2 * LANES;
    }
    while columns - first >= LANES {
        block.run::<LANES>(first);
        first += LANES;
    }
    while columns - first >= 8 {
        block.run::<8>(first);
        first += 8;
    }
    if columns - first >= 4 {
        block.run::<4>(first);
        first += 4;
    }
    if columns - first >= 2 {
        block.run::<2>(first);
        first += 2;
    }
    if columns > first {
        block.run::<1>(first);
    }
}
