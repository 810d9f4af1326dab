//! Loops over the columns of a matrix, in blocks whose width is known while compiling.

use super::lanes::LANES;

/// A loop over a block of columns in all rows.
pub(super) trait ColumnBlock {
    /// The number of columns of the widest block, at least `LANES`: wider ones are not even compiled.
    const WIDEST: usize;

    /// Runs it for `N` columns from `first` on. Since `N` is a constant, the values of the columns stay in registers while the rows
    /// are read.
    fn run<const N: usize>(&mut self, first: usize);
}

/// Runs a loop for all columns, in blocks as wide as possible.
#[inline(always)]
pub(super) fn for_each_block<B: ColumnBlock>(columns: usize, mut block: B) {
    let mut first = 0;
    if const { B::WIDEST >= 8 * LANES } {
        while columns - first >= 8 * LANES {
            block.run::<{ 8 * LANES }>(first);
            first += 8 * LANES;
        }
    }
    if const { B::WIDEST >= 4 * LANES } {
        while columns - first >= 4 * LANES {
            block.run::<{ 4 * LANES }>(first);
            first += 4 * LANES;
        }
    }
    if const { B::WIDEST >= 2 * LANES } {
        while columns - first >= 2 * LANES {
            block.run::<{ 2 * LANES }>(first);
            first += 2 * LANES;
        }
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
