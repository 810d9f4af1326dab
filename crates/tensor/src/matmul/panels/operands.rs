//! The parts of a product, their scratch, and the panels of each part.

use std::mem::MaybeUninit;

use super::pack::{Pack, Unpack};
use super::tile::{Panel, max_vectors};
use crate::real::Real;
use crate::simd::blocking::even_parts;
use crate::simd::lanes::Lanes;

/// The maximum number of terms in a chain of sums. What is packed of B for as many terms stays in the first cache, and so do the
/// cache lines of A that a block of rows reads where the columns of A are contiguous, as in `dW = Xᵀ dZ`: as many as the terms.
pub(super) const DEPTH: usize = 96;

/// The maximum number of columns of B that are packed at a time.
const COLUMNS: usize = 64;

/// The maximum number of rows of C that are computed from what is packed.
const ROWS: usize = 128;

/// The number of columns of the widest panel. Sums of a panel that does not fill its vectors are stored beside C first.
const MAX_WIDTH: usize = 32;

/// B is not packed for fewer rows than this.
const MIN_ROWS_TO_PACK: usize = 17;

/// B is not packed if its rows are closer to each other than this many numbers, all in all: they stay in the caches.
const MIN_SPREAD_TO_PACK: usize = 1 << 14;

/// The scratch of a small product in numbers: for what is packed of B, and for sums.
const SMALL: [usize; 2] = [2048, 1024];

/// The maximum number of rows of a small product.
const SMALL_ROWS: usize = SMALL[1] / MAX_WIDTH;

/// The operands by pointer, and their strides in numbers. The columns of C have stride 1, and so have the columns of B, or its rows.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a, T> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) terms: &'a [Term<T>],
    pub(super) a_strides: [isize; 2],
    pub(super) b_strides: [isize; 2],
    pub(super) accumulates: bool,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
}

/// One product A B of those whose sum is C.
#[derive(Clone, Copy)]
pub(super) struct Term<T> {
    pub(super) a: *const T,
    pub(super) b: *const T,
    pub(super) depth: usize,
}

/// A part of the product: some rows and columns of C, and some of the terms of one of the products.
#[derive(Clone, Copy)]
struct Part<T> {
    term: Term<T>,
    first_term: usize,
    row: usize,
    rows: usize,
    column: usize,
    columns: usize,
    /// Whether it is the first and whether it is the last of the parts of K.
    ends: [bool; 2],
    /// Whether the parts of K are added up beside C.
    beside: bool,
}

/// Memory that begins with a cache line.
#[repr(align(64))]
struct Aligned<T, const N: usize>([MaybeUninit<T>; N]);

impl<T, const N: usize> Aligned<T, N> {
    const UNINIT: Self = Self([const { MaybeUninit::uninit() }; N]);

    fn as_mut_ptr(&mut self) -> *mut T {
        self.0.as_mut_ptr().cast()
    }
}

/// What is needed besides the operands: memory for panels of B, and for the sums of a panel.
#[derive(Clone, Copy)]
struct Scratch<T> {
    packed: *mut T,
    sums: *mut T,
}

impl<T: Real> Operands<'_, T> {
    /// Computes the product.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, the scratch is large
    /// enough, and the CPU has the instructions. The parts of the operands that are passed on are within them.
    pub(crate) unsafe fn compute<L: Lanes<Number = T>>(&self) {
        let depth: usize = self.terms.iter().map(|term| term.depth).sum();
        let packed = depth.min(DEPTH) * self.columns.next_multiple_of(MAX_WIDTH).min(COLUMNS);
        // SAFETY: the caller's; either scratch is large enough.
        unsafe {
            if self.rows <= SMALL_ROWS && packed <= SMALL[0] {
                self.with_scratch::<L, { SMALL[0] }, { SMALL[1] }>();
            } else {
                self.with_scratch::<L, { DEPTH * COLUMNS }, { ROWS * MAX_WIDTH }>();
            }
        }
    }

    /// The product, with scratch of so many numbers on the stack: the pages of a large one take a small product longer than itself.
    #[inline(never)]
    unsafe fn with_scratch<L: Lanes<Number = T>, const PACKED: usize, const SUMS: usize>(&self) {
        let mut packed = Aligned::<T, PACKED>::UNINIT;
        let mut sums = Aligned::<T, SUMS>::UNINIT;
        let scratch = Scratch { packed: packed.as_mut_ptr(), sums: sums.as_mut_ptr() };
        // SAFETY: the caller's.
        unsafe { self.parts::<L>(scratch) }
    }

    /// The product, part by part.
    #[inline(never)]
    unsafe fn parts<L: Lanes<Number = T>>(&self, scratch: Scratch<T>) {
        let parts: usize = self.terms.iter().map(|term| term.depth.div_ceil(DEPTH)).sum();
        // What several parts add up to is added to C at once: one after the other, they would make the chain of C's own sums long.
        let beside = self.accumulates && parts > 1;
        let max_columns = if beside { MAX_WIDTH } else { COLUMNS };
        for (row, rows) in even_parts(self.rows, ROWS) {
            for column in (0..self.columns).step_by(max_columns) {
                let columns = (self.columns - column).min(max_columns);
                let mut part = 0;
                for &term in self.terms {
                    for (first_term, depth) in even_parts(term.depth, DEPTH) {
                        part += 1;
                        let term = Term { depth, ..term };
                        let ends = [part == 1, part == parts];
                        let part = Part { term, first_term, row, rows, column, columns, ends, beside };
                        // SAFETY: this is a part of the product.
                        unsafe { self.part::<L>(part, scratch) };
                    }
                }
            }
        }
    }

    /// A part of the product, panel by panel.
    unsafe fn part<L: Lanes<Number = T>>(&self, part: Part<T>, scratch: Scratch<T>) {
        let Part { term: Term { a, b, depth }, first_term, row, rows, column, columns, ends, beside } = part;
        let [is_first, is_last] = ends;
        let [a_row, a_column] = self.a_strides;
        let [b_row, b_column] = self.b_strides;
        let max_vectors = max_vectors(self.rows);
        let max_width = max_vectors * L::COUNT;
        let spread = depth * b_row.unsigned_abs();
        let min_spread = if b_row % 64 == 0 { 4096 } else { MIN_SPREAD_TO_PACK };
        let packs = b_column != 1 || rows >= MIN_ROWS_TO_PACK && spread > min_spread;
        let widest = if packs { columns / max_width } else { 0 };
        // SAFETY: the part is within the product, and each panel within the part. The scratch has room for `DEPTH` terms of
        // `COLUMNS` columns, and for `ROWS` rows of `MAX_WIDTH` sums.
        unsafe {
            let a = a.offset(row as isize * a_row + first_term as isize * a_column);
            let b = b.offset(first_term as isize * b_row + column as isize * b_column);
            let c = self.c.offset(row as isize * self.c_stride).add(column);
            let pack = Pack {
                depth,
                panels: 1,
                width: 0,
                columns: 0,
                b,
                b_strides: self.b_strides,
                packed: scratch.packed,
            };
            if widest > 0 {
                Pack { panels: widest, width: max_width, columns: widest * max_width, ..pack }.copy::<L>();
            }
            let mut from = 0;
            while from < columns {
                let mut vectors = max_vectors;
                while vectors > 1 && columns - from <= vectors / 2 * L::COUNT {
                    vectors /= 2;
                }
                let width = vectors * L::COUNT;
                let count = (columns - from).min(width);
                let whole = count == width;
                let (b, c) = (b.offset(from as isize * b_column), c.add(from));
                let packed = scratch.packed.add(from * depth);
                let in_place = whole && !packs;
                if !in_place && from >= widest * max_width {
                    Pack { width, columns: count, b, packed, ..pack }.copy::<L>();
                }
                let beside = beside || !whole;
                let sums = scratch.sums.add(from % MAX_WIDTH);
                Panel {
                    rows,
                    vectors,
                    depth,
                    a,
                    a_strides: self.a_strides,
                    b: if in_place { b } else { packed },
                    b_stride: if in_place { b_row } else { width as isize },
                    c: if beside { sums } else { c },
                    c_stride: if beside { MAX_WIDTH as isize } else { self.c_stride },
                    accumulates: !is_first || self.accumulates && !beside,
                }
                .compute::<L>();
                if beside && is_last {
                    let Self { c_stride, accumulates, .. } = *self;
                    let (packed, width) = (sums.cast_const(), MAX_WIDTH);
                    Unpack { rows, columns: count, packed, width, c, c_stride, accumulates }.copy::<L>();
                }
                from += width;
            }
        }
    }
}
