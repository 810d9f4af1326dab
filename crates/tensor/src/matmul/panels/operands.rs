//! The parts of a product, their scratch, and the panels of each part.

use std::ptr;

use super::pack::{Pack, PackRows, Unpack};
use super::scratch::with_scratch;
use super::stack::{Aligned, List};
use super::tile::{Addend, Columns, Layout, Matrix, Panels, Requested, RowsOfB, TermRange, max_vectors};
use crate::matmul::MAX_PRODUCTS;
use crate::real::Real;
use crate::simd::blocking::even_parts;
use crate::simd::lanes::Lanes;
use crate::simd::operands::{ImplicitWindows, Init, Used};

/// The maximum number of terms in a chain of sums. What is packed of B for as many terms stays in the first cache, and so do the
/// cache lines of A that a block of rows reads where the columns of A are contiguous, as in `dW = Xᵀ dZ`: as many as the terms.
pub(super) const DEPTH: usize = 96;

/// The maximum number of columns of B that are packed at a time.
const COLUMNS: usize = 64;

/// The maximum number of rows of C that are computed from what is packed of B.
const ROWS: usize = 128;

/// The number of columns of the widest panel.
const MAX_WIDTH: usize = 32;

/// B is not packed for fewer rows than this.
const MIN_ROWS_TO_PACK: usize = 17;

/// The same where B is spread as far as [`FAR`].
const MIN_ROWS_TO_PACK_FAR: usize = 5;

/// B is not packed if its rows are closer to each other than this many numbers, all in all: they stay in the caches.
const MIN_SPREAD_TO_PACK: usize = 1 << 14;

/// The same where the rows are a multiple of 64 numbers apart, and so compete for few lines of a cache.
const MIN_SPREAD_OF_ALIASED: usize = 1 << 12;

/// Numbers that are spread over so many numbers are on more pages than a CPU has at hand.
const FAR: usize = 1 << 16;

/// The maximum number of values of A that are packed at a time, unless fewer than `MIN_ROWS_OF_PACKED` rows have more.
const PACKED_A: usize = 1 << 17;

/// The minimum number of rows of A that are packed at a time.
const MIN_ROWS_OF_PACKED: usize = 24;

/// A smaller B, in bytes, is not requested ahead of its use.
const REQUESTED: usize = 1 << 19;

/// Whether a product has so few terms for so many columns that it takes the time to go through C. That is then done along its rows: those
/// of a column are on different pages, and where they are a multiple of 4,096 bytes apart they compete for a few lines of the first cache.
pub(crate) fn is_shallow(columns: usize, depth: usize) -> bool {
    columns >= 256 && depth <= 16
}

/// The maximum number of columns that are computed at a time along the rows of C.
const SHALLOW_COLUMNS: usize = 1024;

/// The maximum number of rows of a product that may be computed at once.
const SMALL_ROWS: usize = 32;

/// Blocks of more rows have no registers left for where each row of A begins, beside a list of columns: with AVX-512 a product of 128 rows
/// takes 1.2 times as long with 70 % of the columns as with all; with AVX2 it takes 0.75 times as long.
const MAX_ROWS_OF_BLOCK: usize = 6;

/// The scratch of a small product in numbers: for what is packed of B, and for sums beside C.
const SMALL: [usize; 2] = [2048, 1024];

/// The operands by pointer, and their strides in numbers. The columns of C have stride 1. If the columns of B have any other, B is packed.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a, T> {
    /// The number of rows; of those of A that are used, if they are listed. C has them one after the other.
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// What is used of A. If columns are listed, there is one product, whose A has contiguous rows.
    pub(super) used: Used<'a>,
    /// At most `MAX_PRODUCTS`, none of them empty.
    pub(super) terms: &'a [Term<T>],
    pub(super) a_strides: [isize; 2],
    pub(super) b_strides: [isize; 2],
    /// Where the rows of A or of B begin, if not one stride from each other. The columns then have stride 1.
    pub(super) windows: Windows<'a>,
    /// What the sum of the products is multiplied with.
    pub(super) alpha: T,
    pub(super) init: Init<'a, T>,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
}

/// Which operand of a product is a matrix of windows; there is one product then.
#[derive(Clone, Copy)]
pub(super) enum Windows<'a> {
    None,
    A(ImplicitWindows<'a>),
    B(ImplicitWindows<'a>),
}

/// One product A B of those whose sum is C.
#[derive(Clone, Copy)]
pub(super) struct Term<T> {
    pub(super) a: *const T,
    pub(super) b: *const T,
    pub(super) depth: usize,
}

/// A part of the product: some rows and columns of C, and some of the terms of K.
#[derive(Clone, Copy)]
struct Part<'a> {
    row: usize,
    rows: usize,
    /// Where these rows of A begin, unless A has contiguous columns.
    rows_of_a: &'a [isize],
    column: usize,
    columns: usize,
    first_term: usize,
    depth: usize,
    /// Whether it is the first and whether it is the last of the parts of K.
    ends: [bool; 2],
    /// The first column and the first term of the part that follows, if it is to be requested.
    next: Option<(usize, usize)>,
}

/// What is needed besides the operands: memory for panels of B, for sums beside C, for those of a panel between two products, and for
/// rows of A, if they are packed.
#[derive(Clone, Copy)]
struct Scratch<T> {
    packed: *mut T,
    sums: *mut T,
    chain: *mut T,
    packed_a: Option<*mut T>,
}

impl<T: Real> Operands<'_, T> {
    /// Computes the product.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, the scratch is large
    /// enough, and the CPU has the instructions. The parts of the operands that are passed on are within them.
    pub(crate) unsafe fn compute<L: Lanes<Number = T>>(&self) {
        if matches!(self.used, Used::Columns(_)) && L::ROWS > MAX_ROWS_OF_BLOCK && self.rows > SMALL_ROWS {
            // SAFETY: the caller's.
            return unsafe { Operands { used: Used::All, ..*self }.compute::<L>() };
        }
        // SAFETY: the caller's.
        if matches!(self.used, Used::All) && unsafe { self.compute_small::<L>() } {
            return;
        }
        let depth = self.depth();
        let width = self.columns.next_multiple_of(MAX_WIDTH).min(COLUMNS);
        let [packed, sums] = [depth.min(DEPTH) * width, self.rows.min(ROWS) * width];
        // SAFETY: the caller's; either scratch is large enough.
        unsafe {
            if self.packs_a() {
                let max_rows = (PACKED_A / depth).clamp(MIN_ROWS_OF_PACKED, ROWS);
                let rows = self.rows.min(max_rows);
                let scratch = [DEPTH * COLUMNS, rows * COLUMNS, rows * COLUMNS, rows * depth];
                with_scratch(scratch, |[packed, sums, chain, packed_a]| {
                    self.parts::<L>(max_rows, Scratch { packed, sums, chain, packed_a: Some(packed_a) });
                });
            } else if packed <= SMALL[0] && sums <= SMALL[1] && !self.goes_along_rows() {
                self.with_scratch::<L, { SMALL[0] }, { SMALL[1] }, { SMALL[1] }>();
            } else {
                self.with_scratch::<L, { DEPTH * COLUMNS }, { ROWS * COLUMNS }, { ROWS * COLUMNS }>();
            }
        }
    }

    /// Computes a product of one part and whole panels, with nothing to be packed, and returns whether it is one. It would take
    /// [`parts`](Self::parts) about as long to find that out.
    #[inline]
    unsafe fn compute_small<L: Lanes<Number = T>>(&self) -> bool {
        let vectors = max_vectors::<L>(self.rows);
        let width = vectors * L::COUNT;
        let ([_, a_column], [b_row, b_column]) = (self.a_strides, self.b_strides);
        let &[Term { a, b, depth }] = self.terms else { return false };
        let is_small = self.rows <= SMALL_ROWS && depth <= DEPTH && self.columns.is_multiple_of(width);
        let max_spread = if self.rows < MIN_ROWS_TO_PACK { FAR - 1 } else { MIN_SPREAD_OF_ALIASED };
        let is_in_place = b_column == 1 && depth.saturating_mul(b_row.unsigned_abs()) <= max_spread;
        let has_rows = a_column == 1 && matches!(self.windows, Windows::None);
        if !(is_small && is_in_place && has_rows) {
            return false;
        }
        let mut rows_of_a = List::<_, SMALL_ROWS>::new();
        rows_of_a.fill(self.rows, |row| row as isize * self.a_strides[0]);
        let panels = Panels {
            count: self.columns / width,
            b_step: width,
            along_rows: false,
            ahead: Requested::NONE,
            rows: self.rows,
            vectors,
            range: TermRange { first: 0, depth, a, b },
            a_layout: Layout::Rows(&rows_of_a),
            rows_of_b: RowsOfB::Even(b_row),
            chain: (ptr::null(), 0),
            before: None,
            factor: self.alpha,
            // SAFETY: the first row is one of C.
            init: unsafe { self.addend(0, self.c) },
            c: self.c,
            c_stride: self.c_stride,
        };
        // SAFETY: the caller's; the panels are the whole product.
        unsafe { panels.compute::<L>() };
        true
    }

    /// What the product is added to, from a row on, whose first value in C is at `c`.
    unsafe fn addend(&self, row: usize, c: *mut T) -> Addend<T> {
        match self.init {
            Init::Zeros => Addend::None,
            // SAFETY: the caller vouches for the row.
            Init::Rows(values) => Addend::Column(unsafe { values.as_ptr().add(row) }),
            Init::Accumulate => Addend::Matrix(Matrix(c.cast_const(), self.c_stride)),
        }
    }

    /// The number of terms of all products.
    fn depth(&self) -> usize {
        self.terms.iter().map(|term| term.depth).sum()
    }

    /// Whether the columns of A are contiguous.
    fn a_by_columns(&self) -> bool {
        matches!(self.a_strides, [1, column] if column != 1)
    }

    /// Whether A is packed too: where many columns pay for it, or where its own columns would get into each other's way.
    fn packs_a(&self) -> bool {
        let depth = self.depth();
        // Columns at such distances compete for a few lines of the first cache.
        let aliased = self.a_strides[1] % 256 == 0;
        let min_columns = match self.a_by_columns() {
            true if aliased => 9,
            true => 128,
            false => 256,
        };
        // There are no tiles for these.
        let needed =
            !self.a_strides.contains(&1) || self.a_by_columns() && matches!(self.windows, Windows::B(_));
        // Of columns that are listed there are no packed ones.
        let can_gain = !matches!(self.used, Used::Columns(_));
        needed || can_gain && self.rows > 16 && depth > 16 && self.columns >= min_columns
    }

    /// Whether the product is computed along the rows of C.
    fn goes_along_rows(&self) -> bool {
        is_shallow(self.columns, self.depth()) && matches!(self.windows, Windows::None) && !self.packs_a()
    }

    /// The product, with scratch of so many numbers on the stack: the pages of a large one take a small product longer than itself.
    #[inline(never)]
    unsafe fn with_scratch<L, const PACKED: usize, const SUMS: usize, const CHAIN: usize>(&self)
    where
        L: Lanes<Number = T>,
    {
        let mut packed = Aligned::<T, PACKED>::UNINIT;
        let mut sums = Aligned::<T, SUMS>::UNINIT;
        let mut chain = Aligned::<T, CHAIN>::UNINIT;
        let scratch = Scratch {
            packed: packed.as_mut_ptr(),
            sums: sums.as_mut_ptr(),
            chain: chain.as_mut_ptr(),
            packed_a: None,
        };
        // SAFETY: the caller's.
        unsafe { self.parts::<L>(ROWS, scratch) }
    }

    /// The product, part by part.
    #[inline(never)]
    unsafe fn parts<L: Lanes<Number = T>>(&self, max_rows: usize, scratch: Scratch<T>) {
        let depth = self.depth();
        let is_far = depth.saturating_mul(self.columns) * size_of::<T>() > REQUESTED;
        let listed = matches!(self.windows, Windows::B(_)) || matches!(self.used, Used::Columns(_));
        let requests = is_far && !listed;
        let along_rows = self.goes_along_rows();
        let max_columns = match along_rows {
            // What is packed of them fits, and so do the sums between two products.
            true => (DEPTH / depth * COLUMNS).min(SHALLOW_COLUMNS),
            false => COLUMNS,
        };
        let max_rows =
            if self.terms.len() > 1 { max_rows.min(ROWS * COLUMNS / max_columns) } else { max_rows };
        for (row, rows) in even_parts(self.rows, max_rows) {
            let mut rows_of_a = List::<_, ROWS>::new();
            match self.windows {
                Windows::A(windows) => {
                    windows
                        .row_starts()
                        .skip(row)
                        .take(rows)
                        .for_each(|start| rows_of_a.push(start as isize));
                }
                _ => rows_of_a.fill(rows, |index| {
                    let row = match self.used {
                        // SAFETY: there is an index for each row.
                        Used::Rows(listed) => unsafe { listed.get(row + index) },
                        _ => row + index,
                    };
                    row as isize * self.a_strides[0]
                }),
            }
            let rows_of_a = &*rows_of_a;
            if let Some(packed) = scratch.packed_a {
                // SAFETY: these rows are some of the product's.
                unsafe { self.pack_rows::<L>(rows_of_a, packed) };
            }
            let mut column = 0;
            while column < self.columns {
                let columns = match self.columns - column {
                    rest if rest > COLUMNS => (rest / COLUMNS * COLUMNS).min(max_columns),
                    rest => rest,
                };
                for (first_term, part_depth) in even_parts(depth, DEPTH) {
                    let last_term = first_term + part_depth;
                    let ends = [first_term == 0, last_term == depth];
                    let next = if ends[1] { (column + columns, 0) } else { (column, last_term) };
                    let next = Some(next).filter(|_| requests);
                    let depth = part_depth;
                    let part = Part { row, rows, rows_of_a, column, columns, first_term, depth, ends, next };
                    // SAFETY: this is a part of the product.
                    unsafe { self.part::<L>(part, scratch) };
                }
                column += columns;
            }
        }
    }

    /// Packs rows of A, part of K by part of K.
    unsafe fn pack_rows<L: Lanes<Number = T>>(&self, rows: &[isize], packed: *mut T) {
        for (first_term, depth) in even_parts(self.depth(), DEPTH) {
            let mut ranges = List::new();
            // SAFETY: the rows and the terms are some of the product's, and there is memory for all of them.
            unsafe {
                self.ranges(first_term, depth, &mut ranges);
                let ranges = &ranges;
                let packed = packed.add(rows.len() * first_term);
                PackRows { rows, depth, ranges, a_strides: self.a_strides, packed }.copy::<L>();
            }
        }
    }

    /// Appends the terms of a part of K, product by product, for all rows and columns.
    #[inline]
    unsafe fn ranges(&self, first_term: usize, depth: usize, ranges: &mut List<TermRange<T>, MAX_PRODUCTS>) {
        let mut start = 0;
        for &Term { a, b, depth: term_depth } in self.terms {
            let from = first_term.max(start);
            let to = (first_term + depth).min(start + term_depth);
            if from < to {
                let skipped = (from - start) as isize;
                // SAFETY: these terms are some of this product's.
                let a = unsafe { a.offset(skipped * self.a_strides[1]) };
                let b = match self.windows {
                    Windows::B(_) => b,
                    // SAFETY: as above.
                    _ => unsafe { b.offset(skipped * self.b_strides[0]) },
                };
                ranges.push(TermRange { first: from - first_term, depth: to - from, a, b });
            }
            start += term_depth;
        }
    }

    /// What of B is needed next, as far as it is in one product.
    fn ahead(&self, depth: usize, next: Option<(usize, usize)>) -> Requested<T> {
        let Some((column, first_term)) = next.filter(|&(column, _)| column < self.columns) else {
            return Requested::NONE;
        };
        let mut start = 0;
        for term in self.terms {
            let Some(skipped) = first_term.checked_sub(start).filter(|&skipped| skipped < term.depth) else {
                start += term.depth;
                continue;
            };
            let depth = depth.min(term.depth - skipped);
            let columns = (self.columns - column).min(COLUMNS);
            let [b_row, b_column] = self.b_strides;
            let from = term.b.wrapping_offset(column as isize * b_column + skipped as isize * b_row);
            return match b_column {
                1 => Requested { from, stride: b_row, count: depth, len: columns },
                _ => Requested { from, stride: b_column, count: columns, len: depth },
            };
        }
        Requested::NONE
    }

    /// A part of the product, panel by panel.
    unsafe fn part<L: Lanes<Number = T>>(&self, part: Part<'_>, scratch: Scratch<T>) {
        let Part { row, rows, rows_of_a, column, columns, first_term, mut depth, ends, mut next } = part;
        let [is_first, is_last] = ends;
        let [b_row, b_column] = self.b_strides;
        // What several parts add up to is added to C at once: one after the other, they would make the chain of C's own sums long.
        let beside = matches!(self.init, Init::Accumulate) && !(is_first && is_last);
        let max_vectors = max_vectors::<L>(self.rows);
        let spread = depth.saturating_mul(b_row.unsigned_abs());
        let min_spread = if b_row % 64 == 0 { MIN_SPREAD_OF_ALIASED } else { MIN_SPREAD_TO_PACK };
        let packs = match self.windows {
            // There are no tiles for a packed A and listed rows of B.
            Windows::B(_) => scratch.packed_a.is_some() || rows >= MIN_ROWS_TO_PACK && depth > 16,
            _ => {
                b_column != 1
                    || rows >= MIN_ROWS_TO_PACK && spread > min_spread
                    || rows >= MIN_ROWS_TO_PACK_FAR && spread >= FAR
            }
        };
        let sums_stride = columns.next_multiple_of(MAX_WIDTH);
        let mut rows_of_b = List::<_, DEPTH>::new();
        if let Windows::B(windows) = self.windows {
            let starts = windows.row_starts().skip(first_term).take(depth);
            starts.for_each(|start| rows_of_b.push(start as isize));
        }
        // Of the terms, those that are used, if they are listed: where they are in a row of A.
        let mut columns_of_a = List::<_, DEPTH>::new();
        let is_listed = matches!(self.used, Used::Columns(_));
        if let Used::Columns(used) = self.used {
            for index in used.within(first_term..first_term + depth).iter() {
                columns_of_a.push(index as isize);
                rows_of_b.push(index as isize * b_row);
            }
            depth = columns_of_a.len();
        }
        let rows_of_b = match self.windows {
            Windows::B(_) => RowsOfB::Listed(&rows_of_b),
            _ if is_listed => RowsOfB::Listed(&rows_of_b),
            _ => RowsOfB::Even(b_row),
        };
        let mut ranges = List::new();
        // SAFETY: the part is within the product, and each panel within the part. The scratch has space for `DEPTH` terms of
        // `COLUMNS` columns, and for `ROWS` rows of as many sums. A part with more columns has so many fewer terms, only whole
        // panels, which need no sums beside C, and so many fewer rows if there are sums between two products.
        unsafe {
            if is_listed {
                // The sums of no terms are zeros.
                ranges.push(TermRange { first: 0, depth, a: self.terms[0].a, b: self.terms[0].b });
            } else {
                self.ranges(first_term, depth, &mut ranges);
            }
            let a_layout = match scratch.packed_a {
                _ if is_listed => Layout::ListedColumns(rows_of_a, &columns_of_a),
                Some(packed) => {
                    let packed = packed.cast_const().add(rows * first_term);
                    ranges.iter_mut().for_each(|range| range.a = packed);
                    Layout::Columns(Columns::Packed(depth))
                }
                None if self.a_by_columns() && matches!(self.used, Used::Rows(_)) => {
                    Layout::ListedRows(rows_of_a, self.a_strides[1])
                }
                None if self.a_by_columns() => {
                    ranges.iter_mut().for_each(|range| range.a = range.a.add(row));
                    Layout::Columns(Columns::Strided(self.a_strides[1]))
                }
                None => Layout::Rows(rows_of_a),
            };
            ranges.iter_mut().for_each(|range| range.b = range.b.offset(column as isize * b_column));
            let c = self.c.offset(row as isize * self.c_stride).add(column);
            let pack = |ranges: &[TermRange<T>], from: usize, panels: usize, width: usize, columns: usize| {
                for &TermRange { first, depth: rows, b, .. } in ranges {
                    let b = b.offset(from as isize * b_column);
                    let packed = scratch.packed.add(from * depth + first * width);
                    Pack { rows, rows_of_b, depth, panels, width, columns, b, b_column, packed }.copy::<L>();
                }
            };
            let mut from = 0;
            while from < columns {
                // As many whole panels of the largest width as there are, then one narrower, and one that does not fill its vectors.
                let mut vectors = max_vectors;
                while vectors > 1 && columns - from <= vectors / 2 * L::COUNT {
                    vectors /= 2;
                }
                let width = vectors * L::COUNT;
                let panels = ((columns - from) / width).max(1);
                let count = (columns - from).min(panels * width);
                let whole = count == panels * width;
                let in_place = whole && !packs;
                if !in_place {
                    pack(&ranges, from, panels, width, count);
                }
                let mut packed_rows = List::<_, DEPTH>::new();
                if !in_place && is_listed {
                    packed_rows.fill(depth, |term| (term * width) as isize);
                }
                let rows_of_panels = match rows_of_b {
                    rows_of_b if in_place => rows_of_b,
                    _ if is_listed => RowsOfB::Listed(&packed_rows),
                    _ => RowsOfB::Even(width as isize),
                };
                let (c, sums) = (c.add(from), scratch.sums.add(from));
                let of_c = Matrix(c.cast_const(), self.c_stride);
                let of_sums = Matrix(sums.cast_const(), sums_stride as isize);
                let to_c = whole && (is_last || !beside);
                let before = match is_first {
                    true => None,
                    false if whole && !beside => Some(of_c),
                    false => Some(of_sums),
                };
                let init = match self.init {
                    _ if !is_last => Addend::None,
                    // Added when the columns are unpacked.
                    Init::Accumulate if !whole => Addend::None,
                    _ => self.addend(row, c),
                };
                let (to, to_stride) = if to_c { (c, self.c_stride) } else { (sums, sums_stride as isize) };
                for (index, &range) in ranges.iter().enumerate() {
                    let b = match in_place {
                        true => range.b.offset(from as isize * b_column),
                        false => scratch.packed.cast_const().add(from * depth + range.first * width),
                    };
                    let (starts, ends) = (index == 0, index + 1 == ranges.len());
                    Panels {
                        count: panels,
                        b_step: if in_place { width } else { depth * width },
                        along_rows: columns > COLUMNS,
                        ahead: if starts { self.ahead(depth, next) } else { Requested::NONE },
                        rows,
                        vectors,
                        range: TermRange { b, ..range },
                        a_layout,
                        rows_of_b: rows_of_panels,
                        chain: (if starts { ptr::null() } else { scratch.chain.cast_const() }, sums_stride),
                        before: if ends { before } else { None },
                        factor: if ends && is_last { self.alpha } else { T::one() },
                        init: if ends { init } else { Addend::None },
                        c: if ends { to } else { scratch.chain },
                        c_stride: if ends { to_stride } else { sums_stride as isize },
                    }
                    .compute::<L>();
                }
                // What follows is requested once.
                next = None;
                if !to_c && is_last {
                    let accumulates = matches!(self.init, Init::Accumulate);
                    let (packed, width, c_stride) = (sums.cast_const(), sums_stride, self.c_stride);
                    Unpack { rows, columns: count, packed, width, c, c_stride, accumulates }.copy::<L>();
                }
                from += count;
            }
        }
    }
}
