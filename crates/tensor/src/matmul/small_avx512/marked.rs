//! Products of samples in which many values are 0, and marked where they are not: `Z = X W` and `dW = Xᵀ dZ`.
//!
//! A block of C is computed as in the other products, but of K only the terms are added in which one of its rows of A is not 0. Neighbouring
//! rows of Xᵀ, as those of neighbouring pixels of an image, often are 0 together: of the images of MNIST four rows use 16 of 32 terms, if they
//! use any. Four rows of X use 39 % of the terms, 8 use 47 %, and 32 use 58 %.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::{Operands, Term, load};
use crate::matmul::chain::CHAIN;
use crate::matmul::list_avx512::list_marked;
use crate::simd::avx512::{LANES, mask};
use crate::simd::blocking::{even_parts, with_constant};
use crate::simd::operands::{ColumnMarks, Indices, Init, Used};

/// The maximum number of rows of a block, and of registers of columns.
const BLOCK: usize = 4;

/// The maximum number of rows of A that have a list of terms together.
const ROWS: usize = 4;

/// A column of A and the row of B that it is multiplied with.
type Pair = [*const f32; 2];

impl Operands<'_> {
    /// The product where A is marked: for each part of K, whose rows of B then stay in the first cache, some rows of A at a time, with the terms
    /// that these use.
    ///
    /// # Safety
    ///
    /// As for [`rows`](Self::rows). There is one term, each group of B has one row, and A has as many rows as are marked.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn marked_columns(&self, marks: ColumnMarks<'_>) {
        let mut list = [0; CHAIN + LANES];
        let Term { a, b, depth } = self.terms[0];
        for (first, depth) in even_parts(depth, CHAIN) {
            let init = if first > 0 { Init::Accumulate } else { self.init };
            let a = a.wrapping_offset(first as isize * self.a_strides[1]);
            let b = b.wrapping_offset(first as isize * self.b_strides[0]);
            let mut row = 0;
            for (block, &rows) in marks.blocks.iter().enumerate() {
                let masks = &marks.of_block(block)[first..first + depth];
                for (start, rows) in even_parts(rows, ROWS) {
                    let any = ((1 << rows) - 1) << start;
                    let len = list_marked(masks, any, &mut list).unwrap_or_default();
                    let listed = Used::Columns(Indices::new(&list[..len], 0..depth));
                    let a = a.wrapping_offset(row as isize * self.a_strides[0]);
                    let c = self.c.wrapping_offset(row as isize * self.c_stride);
                    let terms = &[Term { a, b, depth }];
                    // SAFETY: these rows and terms are some of the product's.
                    unsafe { Operands { rows, terms, listed, init, c, ..*self }.rows_of_part() };
                    row += rows;
                }
            }
        }
    }

    /// Whether these marks are those of A, and all terms of a value are added in one chain.
    pub(super) fn has_rows_of(&self, marks: ColumnMarks<'_>) -> bool {
        let depth: usize = self.terms.iter().map(|term| term.depth).sum();
        depth <= CHAIN && marks.blocks.iter().sum::<usize>() == depth
    }

    /// The product of these rows of A alone, of the terms that are marked.
    ///
    /// # Safety
    ///
    /// As for [`rows`](Self::rows). The [marks are those of A](Self::has_rows_of), and each group of B has one row.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn marked_rows(&self, rows: Indices<'_>, marks: ColumnMarks<'_>) {
        let mut pairs = [const { MaybeUninit::<Pair>::uninit() }; CHAIN];
        let mut depth = 0;
        for term in self.terms {
            for group in 0..term.depth as isize {
                let a = term.a.wrapping_offset(group * self.a_strides[1]);
                let b = term.b.wrapping_offset(group * self.b_strides[0]).wrapping_add(self.starts[0]);
                pairs[depth].write([a, b]);
                depth += 1;
            }
        }
        // SAFETY: so many were written.
        let pairs: &[Pair] = unsafe { std::slice::from_raw_parts(pairs.as_ptr().cast(), depth) };
        for (first, registers) in even_parts(self.columns.div_ceil(LANES), BLOCK) {
            let column = first * LANES;
            for (row, count) in even_parts(rows.len(), BLOCK) {
                // SAFETY: these rows and columns are some of the product's.
                unsafe {
                    with_constant!(registers, [1 2 3 4], |V| {
                        with_constant!(count, [1 2 3 4], |R| {
                            self.marked_block::<R, V>(rows, row, column, marks, pairs);
                        });
                    });
                }
            }
        }
    }

    /// `R` of the rows, and `V` registers of columns.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn marked_block<const R: usize, const V: usize>(
        &self,
        listed: Indices<'_>,
        first: usize,
        column: usize,
        marks: ColumnMarks<'_>,
        pairs: &[Pair],
    ) {
        let mut masks = [0; V];
        for v in 0..V {
            masks[v] = mask(self.columns - column - v * LANES);
        }
        let mut sums = [[_mm512_setzero_ps(); V]; R];
        let mut rows = [0; R];
        for r in 0..R {
            // SAFETY: there are `R` rows from the first on.
            rows[r] = unsafe { listed.get(first + r) };
        }
        let starts = rows.map(|row| row as isize * self.a_strides[0]);
        let mut rest = pairs;
        for (block, &count) in marks.blocks.iter().enumerate() {
            let (pairs, after) = rest.split_at(count);
            rest = after;
            let of_columns = marks.of_block(block);
            let mut bits = rows.iter().fold(0, |bits, &row| bits | of_columns[row]);
            while bits != 0 {
                let [a, b] = pairs[bits.trailing_zeros() as usize];
                bits &= bits - 1;
                // SAFETY: rows and columns are within the operands, and a masked load touches only the lanes of its mask.
                unsafe {
                    let loaded = load(b.add(column), masks);
                    for r in 0..R {
                        let value = _mm512_set1_ps(*a.offset(starts[r]));
                        for v in 0..V {
                            sums[r][v] = _mm512_fmadd_ps(value, loaded[v], sums[r][v]);
                        }
                    }
                }
            }
        }
        for r in 0..R {
            // SAFETY: the row is one of C.
            unsafe {
                let c = self.c.offset(rows[r] as isize * self.c_stride).add(column);
                for v in 0..V {
                    self.store(c.wrapping_add(v * LANES), masks[v], sums[r][v]);
                }
            }
        }
    }
}
