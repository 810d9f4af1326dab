//! Where the values of a matrix are that are not 0: a bit for each.

use std::ops::Range;

#[cfg(target_arch = "x86_64")]
use crate::matmul::list_avx512;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};
use crate::simd::operands::ColumnMarks;

/// The number of rows of a block: of bits in a mask.
const BLOCK: usize = u32::BITS as usize;

/// A bit for each value of a matrix that is not 0, NaN among them: a mask for each column of 32 rows. Where there are too many rows, only
/// the columns that they use are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Marks {
    columns: usize,
    /// The masks of all columns, for each of the blocks.
    masks: Vec<u32>,
    /// How many rows each block has.
    blocks: Vec<usize>,
    rows: usize,
    max_rows: usize,
}

impl Marks {
    /// Forgets all marks. Of more rows than this, only the columns that they use will be known.
    pub(super) fn begin(&mut self, columns: usize, max_rows: usize) {
        let Self { masks, blocks, rows, .. } = self;
        masks.clear();
        blocks.clear();
        *rows = 0;
        (self.columns, self.max_rows) = (columns, max_rows);
    }

    /// Marks the values of whole rows, after those before. Returns the largest absolute value.
    pub(super) fn look<T: Real>(&mut self, rows: &[T]) -> T {
        let mut largest = T::Magnitude::default();
        let columns = self.columns;
        let mut rest = if columns > 0 { rows } else { &[] };
        while !rest.is_empty() {
            let is_marked = self.rows < self.max_rows || self.blocks.is_empty();
            if is_marked && self.blocks.last().is_none_or(|&rows| rows == BLOCK) {
                self.blocks.push(0);
                self.masks.resize(self.masks.len() + columns, 0);
            }
            let [.., last] = &mut self.blocks[..] else { unreachable!("there is a block") };
            let room = if is_marked { BLOCK - *last } else { 1 };
            let (rows, after) = rest.split_at(rest.len().min(room * columns));
            let count = rows.len() / columns;
            let first_bit = if is_marked { *last } else { 0 };
            if is_marked {
                *last += count;
            }
            let start = self.masks.len() - columns;
            let masks = &mut self.masks[start..];
            largest = largest.max(run(Mark { rows, first_bit: first_bit as u32, masks }));
            self.rows += count;
            rest = after;
        }
        T::from_magnitude(largest)
    }

    /// Appends those of more rows.
    pub(super) fn append(&mut self, more: &Self) {
        let are_marked =
            self.rows().is_some() && more.rows().is_some_and(|rows| rows <= self.max_rows - self.rows);
        self.rows += more.rows;
        if are_marked || self.blocks.is_empty() {
            self.blocks.extend(&more.blocks);
            self.masks.extend(&more.masks);
            return;
        }
        let columns = self.columns.max(1);
        for masks in more.masks.chunks_exact(columns) {
            run(Unite { masks: &mut self.masks[..columns], with: masks });
        }
    }

    /// The number of columns.
    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// The number of rows, if the values of each are marked.
    pub(super) fn rows(&self) -> Option<usize> {
        (self.rows <= self.max_rows && self.blocks.iter().sum::<usize>() == self.rows).then_some(self.rows)
    }

    /// Writes the indices of the columns that are used to the beginning of `indices`, in increasing order, and returns how many they are.
    /// Both slices have a value for each column at least, and what follows is overwritten.
    pub(super) fn list(&self, scratch: &mut [u32], indices: &mut [u32]) -> usize {
        let columns = self.columns;
        let mut blocks = self.masks.chunks_exact(columns.max(1));
        let Some(first) = blocks.next() else { return 0 };
        if self.blocks.len() == 1 {
            return list_marked(first, indices);
        }
        let all = &mut scratch[..columns];
        all.copy_from_slice(first);
        blocks.for_each(|with| run(Unite { masks: all, with }));
        list_marked(all, indices)
    }

    /// Whether so few of the values in the columns with these indices are not 0 that it pays to look at each.
    pub(super) fn are_sparse(&self, indices: &[u32]) -> bool {
        // What four neighbours use is multiplied together. Every fourth four are looked at.
        let (mut used, mut all) = (0, 0);
        for (masks, &rows) in self.masks.chunks_exact(self.columns.max(1)).zip(&self.blocks) {
            for few in indices.chunks(16) {
                let mask = few.iter().take(4).fold(0, |mask, &index| mask | masks[index as usize]);
                used += mask.count_ones() as usize;
                all += rows;
            }
        }
        4 * used <= 3 * all
    }

    /// The marks of a range of columns.
    pub(super) fn of_columns(&self, range: Range<usize>) -> ColumnMarks<'_> {
        ColumnMarks::new(&self.masks, self.columns, &self.blocks, range)
    }
}

/// The number of values that are 0.
pub(super) fn zeros<T: Real>(values: &[T]) -> usize {
    run(CountZeros(values)) as usize
}

struct CountZeros<'a, T>(&'a [T]);

impl<T: Real> Loop for CountZeros<'_, T> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        self.0.iter().map(|value| u32::from(value.magnitude() == T::Magnitude::default())).sum()
    }
}

/// Writes the indices of the masks that are not 0, and returns how many they are. There is one for each mask at least.
fn list_marked(masks: &[u32], indices: &mut [u32]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if let Some(len) = list_avx512::list_marked(masks, !0, indices) {
        return len;
    }
    let mut len = 0;
    for (index, mask) in masks.iter().enumerate() {
        indices[len] = index as u32;
        len += usize::from(*mask != 0);
    }
    len
}

/// Adds bits to masks.
struct Unite<'a> {
    masks: &'a mut [u32],
    with: &'a [u32],
}

impl Loop for Unite<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (mask, with) in self.masks.iter_mut().zip(self.with) {
            *mask |= with;
        }
    }
}

/// How many columns are looked at together.
const COLUMNS: usize = 64;

/// Sets the bits of values that are not 0, in a mask for each column, those of the first row `first_bit`. Returns the largest magnitude.
struct Mark<'a, T> {
    rows: &'a [T],
    first_bit: u32,
    masks: &'a mut [u32],
}

impl<T: Real> Loop for Mark<'_, T> {
    type Output = T::Magnitude;

    #[inline(always)]
    fn run(self) -> T::Magnitude {
        let Self { rows, first_bit, masks } = self;
        let columns = masks.len();
        let zero = T::Magnitude::default();
        let mut largest = [zero; COLUMNS];
        let (blocks, rest) = masks.as_chunks_mut::<COLUMNS>();
        let first = blocks.len() * COLUMNS;
        for (index, block) in blocks.iter_mut().enumerate() {
            // In registers.
            let (mut found, mut high) = (*block, largest);
            for (bit, row) in (first_bit..).zip(rows.chunks_exact(columns)) {
                let bit = 1 << bit;
                let (row, _) = row[index * COLUMNS..].as_chunks::<COLUMNS>();
                for ((found, high), value) in found.iter_mut().zip(&mut high).zip(&row[0]) {
                    let magnitude = value.magnitude();
                    *high = (*high).max(magnitude);
                    *found |= if magnitude > zero { bit } else { 0 };
                }
            }
            (*block, largest) = (found, high);
        }
        for (bit, row) in (first_bit..).zip(rows.chunks_exact(columns)) {
            let bit = 1 << bit;
            for ((found, largest), value) in rest.iter_mut().zip(&mut largest).zip(&row[first..]) {
                let magnitude = value.magnitude();
                *largest = (*largest).max(magnitude);
                *found |= if magnitude > zero { bit } else { 0 };
            }
        }
        largest.into_iter().max().unwrap_or(zero)
    }
}
