//! Small products without copies, for AVX-512 in single precision.
//!
//! BLAS copies ("packs") its operands into an order that suits its kernel, which pays off for large matrices. A training step
//! has products of a few dozen rows, where packing the weights takes a third of the time of the product. The kernels here read
//! unpacked operands.
//!
//! - [`Operands::rows`]: the columns of B are contiguous. A block of C of up to 8 rows and 32 columns stays in registers
//!   while K advances: 16 sums, for two loads of B and 8 values of A, each broadcast to a register.
//! - [`Operands::columns`]: the rows of B are contiguous, as in `dX = dZ Wᵀ`. With A transposed, 16 rows at a time, it is the
//!   same with the roles of A and B exchanged, and a block of 16 by 16 is transposed before it is stored.
//! - [`Operands::transposed_columns`]: the same for many rows, where B is transposed.
//!
//! Rows and columns that do not fill a register are masked. The terms of a value are added in the order of K, each with one
//! rounding, in parts of at most 264 terms, and the parts in their order, wherever the value is in C: so the bits do not depend on
//! how a product is cut into rows and columns, nor into the terms of one sum of products.

mod marked;
#[cfg(test)]
mod tests;

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::chain::CHAIN;
use super::transpose_avx512::{transpose, transposed};
use super::{MAX_PRODUCTS, panels};
use crate::simd::avx512::{LANES, mask};
use crate::simd::blocking::{even_parts, with_constant};
use crate::simd::level::{Level, level};
use crate::simd::operands::{ColumnMarks, ImplicitWindows, Indices, Init, Used};

/// The maximum K of a product with a transposed right operand: 16 columns of it are kept on the stack, and should fit into the
/// first cache.
const MAX_DEPTH: usize = 512;

/// The maximum number of values in B and in C: larger ones do not stay in the second cache, and packing pays off.
/// For 64 x 512 over 784 this takes 0.8 of the time that OpenBLAS takes, for 128 x 1024 over 1024 it takes 1.3.
const MAX_SIZE: usize = 1 << 19;

/// The minimum number of rows: one or two are a matrix times a vector, for which BLAS has other kernels. Where the columns of B are
/// contiguous they add all terms in one chain, so products of many terms are computed here all the same.
const MIN_ROWS: usize = 3;

/// The maximum number of values in B with which one or two rows are computed here too: over 120 terms with 84 columns a row takes 0.65 times
/// as long as in OpenBLAS, over 128 with 128 0.8 times, over 64 with 64 as long (Zen 5).
const MAX_SIZE_OF_FEW_ROWS: usize = 1 << 14;

/// The maximum number of rows where B is read by rows, since each 16 of them go through all of B. For more of them B is transposed.
const MAX_ROWS_BY_ROWS: usize = 128;

/// The columns of B that are transposed at a time for all rows of A.
const TRANSPOSED: usize = 4 * LANES;

/// Whether columns of B are transposed for all rows of A, of which all are read for each of them: they stay in the second cache, or there
/// are few columns.
fn is_transposed([rows, columns, depth]: [usize; 3]) -> bool {
    let few = columns <= TRANSPOSED || columns <= 4 * TRANSPOSED && rows * depth <= 1 << 17;
    rows > MAX_ROWS_BY_ROWS && depth <= MAX_DEPTH && few
}

/// The maximum distance of the rows of B of which some are left out. Farther from each other they take longer to arrive than all of them,
/// whose positions a CPU foresees: for 128 x 512 over 384 the product takes as long with 70 % of the rows.
const MAX_STRIDE_OF_LISTED: isize = 128;

/// The initial value of sums that start at zero.
static ZERO: f32 = 0.0;

/// `C = Σ A B + beta C`, if `beta` is 0 or 1, the sizes and layouts suit, and all products have the layouts of the first;
/// otherwise `false`, and nothing is done. What is not used of A may be left out.
#[inline]
pub(crate) fn product(
    products: &[(ArrayView2<'_, f32>, ArrayView2<'_, f32>)],
    used: Used<'_>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let Some((a, b)) = products.first() else { return false };
    let (m, n) = c.dim();
    let k = products.iter().map(|(a, _)| a.ncols()).max().unwrap_or(0);
    let depth = products.iter().map(|(a, _)| a.ncols()).fold(0, usize::saturating_add);
    let alike = products.iter().all(|(a2, b2)| a.strides() == a2.strides() && b.strides() == b2.strides());
    // The stride of an axis of length 1 is never used, and may be anything.
    let packed = |stride: isize, len: usize| stride == 1 || len == 1;
    let are_few = m < MIN_ROWS && n > 1 && packed(b.strides()[1], n);
    let are_few = are_few && (depth > CHAIN || n.saturating_mul(depth) <= MAX_SIZE_OF_FEW_ROWS);
    let suits = (m >= MIN_ROWS || are_few)
        && !panels::is_shallow(n, depth)
        && (are_few || n.saturating_mul(m.max(k)) <= MAX_SIZE)
        && (beta == 0.0 || beta == 1.0)
        && products.len() <= MAX_PRODUCTS;
    if !suits || !alike || level() < Level::Avx512 || !packed(c.strides()[1], n) {
        return false;
    }
    let mut terms = [Term { a: a.as_ptr(), b: b.as_ptr(), depth: 0 }; MAX_PRODUCTS];
    let mut count = 0;
    for (a, b) in products {
        // Pointers into nothing may not be moved.
        if a.ncols() > 0 {
            terms[count] = Term { a: a.as_ptr(), b: b.as_ptr(), depth: a.ncols() };
            count += 1;
        }
    }
    let operands = Operands {
        rows: m,
        columns: n,
        starts: &[0],
        listed: Used::All,
        terms: &terms[..count],
        a_strides: [a.strides()[0], a.strides()[1]],
        b_strides: [b.strides()[0], b.strides()[1]],
        init: if beta == 1.0 { Init::Accumulate } else { Init::Zeros },
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has AVX-512. Pointers and strides are those of views of just these sizes, and `c` is
    // borrowed mutably, so it overlaps neither of the others.
    unsafe {
        if packed(operands.b_strides[1], n) {
            match used {
                Used::Rows(rows) => operands.listed_rows(rows, None),
                Used::MarkedRows(rows, marks) => operands.listed_rows(rows, Some(marks)),
                Used::Columns(columns) if count == 1 && operands.b_strides[0] <= MAX_STRIDE_OF_LISTED => {
                    operands.listed_columns(columns);
                }
                Used::MarkedColumns(columns, marks)
                    if count == 1 && operands.b_strides[0] <= MAX_STRIDE_OF_LISTED =>
                {
                    match marks.blocks.iter().sum::<usize>() == m {
                        true => operands.marked_columns(marks),
                        false => operands.listed_columns(columns),
                    }
                }
                _ => operands.rows(),
            }
            true
        } else if count == 1
            && packed(operands.b_strides[0], k)
            && packed(operands.a_strides[1], k)
            && m <= MAX_ROWS_BY_ROWS
            && k <= MAX_DEPTH
        {
            operands.columns();
            true
        } else if count == 1 && packed(operands.b_strides[0], k) && is_transposed([m, n, k]) {
            operands.transposed_columns();
            true
        } else {
            false
        }
    }
}

/// [`ImplicitWindows::product`] for shapes that fit, if the CPU and the layout suit; otherwise `false`, and nothing is done.
pub(crate) fn implicit_product(
    windows: ImplicitWindows<'_>,
    a: &ArrayView2<'_, f32>,
    values: &[f32],
    init: Init<'_, f32>,
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    let (m, n) = c.dim();
    if level() < Level::Avx512 || !(c.strides()[1] == 1 || n == 1) {
        return false;
    }
    let operands = Operands {
        rows: m,
        columns: n,
        starts: windows.starts,
        listed: Used::All,
        terms: &[Term { a: a.as_ptr(), b: values.as_ptr(), depth: windows.rows }],
        a_strides: [a.strides()[0], a.strides()[1]],
        b_strides: [windows.pitch as isize, 1],
        init,
        c: c.as_mut_ptr(),
        c_stride: c.strides()[0],
    };
    // SAFETY: the CPU has AVX-512. All rows of `windows` are within `values`, and A, C and `init` have the sizes that go
    // with it; `c` is borrowed mutably, so it overlaps neither of the others.
    unsafe { operands.rows() };
    true
}

/// [`ImplicitWindows::add_product_transposed`] for shapes that fit, if the CPU has AVX-512, A has contiguous rows and C
/// contiguous columns: the rows of A are transposed into columns, some at a time, which stay in the first cache while B is read.
pub(crate) fn add_implicit_product_transposed(
    windows: ImplicitWindows<'_>,
    a: &ArrayView2<'_, f32>,
    values: &[f32],
    c: &mut ArrayViewMut2<'_, f32>,
) {
    let mut panel = [const { MaybeUninit::<f32>::uninit() }; MAX_DEPTH * LANES];
    let panel: *mut f32 = panel.as_mut_ptr().cast();
    let (m, n) = a.dim();
    let stride = a.strides()[0];
    let count = windows.starts.len() as isize;
    let c_stride = c.strides()[1];
    let c = c.as_mut_ptr();
    for (first, registers) in even_parts(m.div_ceil(LANES), 3) {
        let first = first * LANES;
        let width = registers * LANES;
        let rows = (m - first).min(width);
        for (column, columns) in even_parts(n, MAX_DEPTH * LANES / width) {
            // SAFETY: the CPU has AVX-512. The panel is large enough for all columns, and is written before it is read. All
            // rows of `windows` are within `values`, and A and C have the sizes that go with it; `c` is borrowed mutably, so it
            // overlaps neither of the others.
            unsafe {
                let a = a.as_ptr().offset(first as isize * stride).add(column);
                for row in (0..rows).step_by(LANES) {
                    let a = a.offset(row as isize * stride);
                    transpose(a, stride, [(rows - row).min(LANES), columns], panel.add(row), width);
                }
                for (index, start) in windows.starts.iter().enumerate() {
                    Operands {
                        rows: windows.rows,
                        columns: rows,
                        starts: &[0],
                        listed: Used::All,
                        terms: &[Term { a: values.as_ptr().add(start + column), b: panel, depth: columns }],
                        a_strides: [windows.pitch as isize, 1],
                        b_strides: [width as isize, 1],
                        init: Init::Accumulate,
                        c: c.offset(index as isize * c_stride).add(first),
                        c_stride: count * c_stride,
                    }
                    .rows();
                }
            }
        }
    }
}

/// The operands by pointer, and their strides in values. The columns of C have stride 1.
///
/// The rows of B come in groups, one after the other: row `i` of a group begins `starts[i]` after the group's start.
#[derive(Clone, Copy)]
struct Operands<'a> {
    /// The number of rows; of those that are listed, if some are.
    rows: usize,
    columns: usize,
    starts: &'a [usize],
    /// The rows of A and C that are computed, or the columns of A and rows of B that are multiplied: indices from those of the pointers on.
    listed: Used<'a>,
    terms: &'a [Term],
    a_strides: [isize; 2],
    b_strides: [isize; 2],
    init: Init<'a, f32>,
    c: *mut f32,
    c_stride: isize,
}

/// One product A B of those whose sum is C: the pointers, and the number of groups of rows in B.
#[derive(Clone, Copy)]
struct Term {
    a: *const f32,
    b: *const f32,
    depth: usize,
}

/// What a block reads, known at compile time.
mod reads {
    /// All terms, of rows of B that are evenly spaced.
    pub(super) const ALL: u8 = 0;
    /// All terms, of rows of B in groups, added to initial values.
    pub(super) const GROUPS: u8 = 1;
    /// The terms that are listed.
    pub(super) const COLUMNS: u8 = 2;
    /// The rows that are listed.
    pub(super) const ROWS: u8 = 3;
}

/// The maximum number of rows of a block of `V` registers of columns: as many sums as fit into the registers, next to those for B and for
/// a value of A.
const fn max_rows<const V: usize, const READS: u8>() -> usize {
    match V {
        // Each row that is listed takes a register for its index.
        1 | 2 if READS == reads::ROWS => 8,
        1 => 16,
        // More would take fewer loads, but a small product would spend its end on storing many rows.
        2 if READS != reads::GROUPS => 8,
        2 => 12,
        3 => 8,
        4 => 6,
        _ => 2,
    }
}

impl Operands<'_> {
    /// The product where the columns of B are contiguous.
    ///
    /// # Safety
    ///
    /// Here and below: every value of the operands is in bounds, C may be written and overlaps nothing, and the
    /// CPU has AVX-512. The parts of the operands that are passed on are within them.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows(&self) {
        let groups = self.terms.iter().map(|term| term.depth).sum();
        let size = self.starts.len();
        if groups * size <= CHAIN {
            // SAFETY: the caller's.
            return unsafe { self.rows_of_part() };
        }
        for (group, groups) in even_parts(groups, (CHAIN / size).max(1)) {
            // There are several parts of a group only where each is longer than a chain.
            for (start, len) in even_parts(size, CHAIN) {
                let mut terms = [Term { a: self.c, b: self.c, depth: 0 }; MAX_PRODUCTS];
                let terms = self.part_of_terms([group, groups], start, &mut terms);
                let init = if group + start > 0 { Init::Accumulate } else { self.init };
                // SAFETY: the terms are some of the product's, and so are the rows of each group.
                unsafe {
                    Operands { starts: &self.starts[start..start + len], terms, init, ..*self }
                        .rows_of_part();
                }
            }
        }
    }

    /// The same, but with these columns of A alone, in the parts in which all would be. There is one term, and one row in each group.
    #[target_feature(enable = "avx512f")]
    unsafe fn listed_columns(&self, columns: Indices<'_>) {
        for (first, depth) in even_parts(self.terms[0].depth, CHAIN) {
            let part = columns.within(first..first + depth);
            // Nothing is added by a part without columns, but the first overwrites C.
            if first == 0 || part.len() > 0 {
                let init = if first > 0 { Init::Accumulate } else { self.init };
                // SAFETY: the caller's.
                unsafe { Operands { listed: Used::Columns(part), init, ..*self }.rows_of_part() };
            }
        }
    }

    /// The same, but for these rows of A and C alone: the product has zeros in all others.
    #[target_feature(enable = "avx512f")]
    unsafe fn listed_rows(&self, rows: Indices<'_>, marks: Option<ColumnMarks<'_>>) {
        if !matches!(self.init, Init::Accumulate) {
            let mut next = 0;
            for row in rows.iter().chain([self.rows]) {
                // Rows without a gap between them are one.
                let (count, len) = match self.c_stride == self.columns as isize {
                    true => (usize::from(row > next), (row - next) * self.columns),
                    false => (row - next, self.columns),
                };
                for zeros in next..next + count {
                    // SAFETY: these are rows of C.
                    unsafe { self.c.offset(zeros as isize * self.c_stride).write_bytes(0, len) };
                }
                next = row + 1;
            }
        }
        // SAFETY: the caller's; these rows are some of the product's.
        unsafe {
            match marks {
                Some(marks) if self.has_rows_of(marks) => self.marked_rows(rows, marks),
                _ => Operands { rows: rows.len(), listed: Used::Rows(rows), ..*self }.rows(),
            }
        }
    }

    /// So many groups of all terms from the `first` on, and in each what follows the first `skipped` rows.
    fn part_of_terms<'a>(
        &self,
        [first, groups]: [usize; 2],
        skipped: usize,
        part: &'a mut [Term; MAX_PRODUCTS],
    ) -> &'a [Term] {
        let (mut start, mut len) = (0, 0);
        for &Term { a, b, depth } in self.terms {
            let from = first.max(start) - start;
            let to = (first + groups).clamp(start, start + depth) - start;
            if from < to {
                let skipped = (from * self.starts.len() + skipped) as isize;
                part[len] = Term {
                    a: a.wrapping_offset(skipped * self.a_strides[1]),
                    b: b.wrapping_offset(from as isize * self.b_strides[0]),
                    depth: to - from,
                };
                len += 1;
            }
            start += depth;
        }
        &part[..len]
    }

    /// The same where no value of C has more terms than a chain.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows_of_part(&self) {
        // Few rows leave registers for many columns, and few columns for many rows.
        let max_registers = match self.rows {
            ..3 => 8,
            3..7 => 4,
            _ => 3,
        };
        // Small products gain from what is known at compile time.
        let plain = self.starts.len() == 1 && !matches!(self.init, Init::Rows(_));
        let max_registers =
            if matches!(self.listed, Used::All) { max_registers } else { max_registers.min(4) };
        for (first, registers) in even_parts(self.columns.div_ceil(LANES), max_registers) {
            let column = first * LANES;
            // SAFETY: these columns are some of the product's.
            unsafe {
                match self.listed {
                    Used::All if plain => {
                        with_constant!(registers, [1 2 3 4 5 6 7 8], |V| {
                            self.rows_of_columns::<V, { reads::ALL }>(column);
                        });
                    }
                    Used::All => {
                        with_constant!(registers, [1 2 3 4 5 6 7 8], |V| {
                            self.rows_of_columns::<V, { reads::GROUPS }>(column);
                        });
                    }
                    Used::Columns(_) | Used::MarkedColumns(..) => {
                        with_constant!(registers, [1 2 3 4], |V| {
                            self.rows_of_columns::<V, { reads::COLUMNS }>(column);
                        });
                    }
                    Used::Rows(_) | Used::MarkedRows(..) => {
                        with_constant!(registers, [1 2 3 4], |V| {
                            self.rows_of_columns::<V, { reads::ROWS }>(column);
                        });
                    }
                }
            }
        }
    }

    /// All rows of `V` registers of columns, from `column` on.
    #[target_feature(enable = "avx512f")]
    unsafe fn rows_of_columns<const V: usize, const READS: u8>(&self, column: usize) {
        let mut masks = [0; V];
        for v in 0..V {
            masks[v] = mask(self.columns - column - v * LANES);
        }
        for (row, rows) in even_parts(self.rows, const { max_rows::<V, READS>() }) {
            // SAFETY: each block's rows are some of the product's.
            unsafe {
                with_constant!(rows, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16], |R| {
                    // Blocks of more rows are not compiled.
                    if const { R <= max_rows::<V, READS>() } {
                        self.block::<R, V, READS>(row, column, masks);
                    }
                });
            }
        }
    }

    /// `R` rows and `V` registers of columns. Only what reads [`GROUPS`](reads::GROUPS) has groups of several rows and initial values.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn block<const R: usize, const V: usize, const READS: u8>(
        &self,
        row: usize,
        column: usize,
        masks: [__mmask16; V],
    ) {
        // SAFETY: row and column are within the operands, and a masked load touches only the lanes of its mask.
        unsafe {
            let mut sums = [[_mm512_setzero_ps(); V]; R];
            let mut rows = [0; R];
            for r in 0..R {
                rows[r] = match self.listed {
                    Used::Rows(listed) if READS == reads::ROWS => listed.get(row + r) as isize,
                    _ => (row + r) as isize,
                };
            }
            if READS == reads::ALL {
                for term in self.terms {
                    let a = term.a.offset(row as isize * self.a_strides[0]);
                    let b = term.b.add(self.starts[0] + column);
                    for group in 0..term.depth as isize {
                        let loaded = load(b.offset(group * self.b_strides[0]), masks);
                        add(&mut sums, a.offset(group * self.a_strides[1]), self.a_strides[0], loaded);
                    }
                }
            } else if READS == reads::COLUMNS {
                let Used::Columns(listed) = self.listed else { unreachable!("columns are listed") };
                let Term { a, b, .. } = self.terms[0];
                let a = a.offset(row as isize * self.a_strides[0]);
                let b = b.add(self.starts[0] + column);
                for term in listed.iter() {
                    let loaded = load(b.offset(term as isize * self.b_strides[0]), masks);
                    add(&mut sums, a.offset(term as isize * self.a_strides[1]), self.a_strides[0], loaded);
                }
            } else if READS == reads::ROWS {
                let starts = rows.map(|row| row * self.a_strides[0]);
                for term in self.terms {
                    let b = term.b.add(self.starts[0] + column);
                    for group in 0..term.depth as isize {
                        let loaded = load(b.offset(group * self.b_strides[0]), masks);
                        let a = term.a.offset(group * self.a_strides[1]);
                        for r in 0..R {
                            let value = _mm512_set1_ps(*a.offset(starts[r]));
                            for v in 0..V {
                                sums[r][v] = _mm512_fmadd_ps(value, loaded[v], sums[r][v]);
                            }
                        }
                    }
                }
            } else {
                // Each sum starts at a number in memory, whichever it is: a branch here would move the sums out of their
                // registers.
                let (first, step) = match self.init {
                    Init::Rows(rows) => (rows.as_ptr().add(row), 1),
                    _ => (&raw const ZERO, 0),
                };
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums = [_mm512_set1_ps(*first.add(r * step)); V];
                }
                for term in self.terms {
                    let mut a = term.a.offset(row as isize * self.a_strides[0]);
                    for group in 0..term.depth as isize {
                        let b = term.b.offset(group * self.b_strides[0]);
                        for &start in self.starts {
                            add(&mut sums, a, self.a_strides[0], load(b.add(start + column), masks));
                            a = a.wrapping_offset(self.a_strides[1]);
                        }
                    }
                }
            }
            for r in 0..R {
                let c = self.c.offset(rows[r] * self.c_stride).add(column);
                for v in 0..V {
                    self.store(c.wrapping_add(v * LANES), masks[v], sums[r][v]);
                }
            }
        }
    }

    /// The product where the rows of B, and the columns of A, are contiguous.
    #[target_feature(enable = "avx512f")]
    unsafe fn columns(&self) {
        let depth = self.terms[0].depth;
        for (first, groups) in even_parts(depth, CHAIN) {
            let mut terms = [Term { a: self.c, b: self.c, depth: 0 }; MAX_PRODUCTS];
            let terms = self.part_of_terms([first, groups], 0, &mut terms);
            let init = if first > 0 { Init::Accumulate } else { self.init };
            // SAFETY: the terms are some of the product's.
            unsafe { Operands { terms, init, ..*self }.columns_of_part() };
        }
    }

    /// The same for many rows: columns of B are transposed on the stack, which takes a fraction of the time in which they are multiplied
    /// with all rows. BLAS, which packs A as well, takes 1.25 times as long for 272 rows, 64 columns and 64 terms.
    #[target_feature(enable = "avx512f")]
    unsafe fn transposed_columns(&self) {
        let mut panel = [const { MaybeUninit::<f32>::uninit() }; CHAIN * TRANSPOSED];
        let panel: *mut f32 = panel.as_mut_ptr().cast();
        let [Term { a, b, depth }] = *self.terms else { unreachable!("there is one product") };
        let [_, b_column] = self.b_strides;
        for (first, terms) in even_parts(depth, CHAIN) {
            for (register, registers) in even_parts(self.columns.div_ceil(LANES), TRANSPOSED / LANES) {
                let (column, width) = (register * LANES, registers * LANES);
                let columns = (self.columns - column).min(width);
                // SAFETY: the panel has space for `CHAIN` rows of as many columns, and is written before it is read; terms and columns
                // are some of the product's.
                unsafe {
                    for lanes in (0..columns).step_by(LANES) {
                        let b = b.add(first).offset((column + lanes) as isize * b_column);
                        transpose(
                            b,
                            b_column,
                            [(columns - lanes).min(LANES), terms],
                            panel.add(lanes),
                            width,
                        );
                    }
                    let a = a.offset(first as isize * self.a_strides[1]);
                    Operands {
                        columns,
                        terms: &[Term { a, b: panel, depth: terms }],
                        b_strides: [width as isize, 1],
                        init: if first > 0 { Init::Accumulate } else { self.init },
                        c: self.c.add(column),
                        ..*self
                    }
                    .rows_of_part();
                }
            }
        }
    }

    /// The same where no value of C has more terms than a chain.
    #[target_feature(enable = "avx512f")]
    unsafe fn columns_of_part(&self) {
        let mut panel = [const { MaybeUninit::<f32>::uninit() }; CHAIN * LANES];
        let panel: *mut f32 = panel.as_mut_ptr().cast();
        let [Term { a, b, depth }] = *self.terms else {
            unreachable!("only products with contiguous columns have several terms")
        };
        // SAFETY: the panel is large enough for `depth` rows of 16, and is written before it is read; blocks of rows
        // and columns are within the product.
        unsafe {
            for row in (0..self.rows).step_by(LANES) {
                let rows = (self.rows - row).min(LANES);
                let a = a.offset(row as isize * self.a_strides[0]);
                transpose(a, self.a_strides[0], [rows, depth], panel, LANES);
                let panel = Term { a: panel, b, depth };
                let mut column = 0;
                while self.columns - column >= LANES {
                    self.block_of_columns::<LANES>(row, rows, column, panel);
                    column += LANES;
                }
                while self.columns - column >= 4 {
                    self.block_of_columns::<4>(row, rows, column, panel);
                    column += 4;
                }
                while column < self.columns {
                    self.block_of_columns::<1>(row, rows, column, panel);
                    column += 1;
                }
            }
        }
    }

    /// Up to 16 rows, which `panel.a` holds as columns, and `R` columns.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn block_of_columns<const R: usize>(&self, row: usize, rows: usize, column: usize, panel: Term) {
        // SAFETY: row and column are within the operands; the panel has `depth` rows of 16.
        unsafe {
            let b = panel.b.offset(column as isize * self.b_strides[1]);
            let mut sums = [[_mm512_setzero_ps()]; R];
            for p in 0..panel.depth as isize {
                let loaded = [_mm512_loadu_ps(panel.a.offset(p * LANES as isize))];
                add(&mut sums, b.offset(p * self.b_strides[0]), self.b_strides[1], loaded);
            }
            let mut lines = [_mm512_setzero_ps(); LANES];
            for r in 0..R {
                lines[r] = sums[r][0];
            }
            let lines = transposed(lines);
            for r in 0..LANES {
                if r < rows {
                    let c = self.c.offset((row + r) as isize * self.c_stride).add(column);
                    self.store(c, mask(R), lines[r]);
                }
            }
        }
    }

    /// Writes the lanes of the mask, or adds them to what C holds.
    #[target_feature(enable = "avx512f")]
    #[inline]
    unsafe fn store(&self, c: *mut f32, mask: __mmask16, mut sum: __m512) {
        // SAFETY: the lanes of the mask are within C.
        unsafe {
            if matches!(self.init, Init::Accumulate) {
                sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, c), sum);
            }
            _mm512_mask_storeu_ps(c, mask, sum);
        }
    }
}

/// The lanes of each mask from memory, register after register, and zeros in the others.
///
/// # Safety
///
/// The lanes of the masks are in bounds; the CPU has AVX-512.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn load<const V: usize>(from: *const f32, masks: [__mmask16; V]) -> [__m512; V] {
    let mut loaded = [_mm512_setzero_ps(); V];
    for v in 0..V {
        // SAFETY: a masked load touches only the lanes of its mask.
        loaded[v] = unsafe { _mm512_maskz_loadu_ps(masks[v], from.wrapping_add(v * LANES)) };
    }
    loaded
}

/// Adds to the sums of each of `R` rows its value times what was loaded.
///
/// # Safety
///
/// `values` has `R` values, `stride` apart; the CPU has AVX-512.
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn add<const R: usize, const V: usize>(
    sums: &mut [[__m512; V]; R],
    values: *const f32,
    stride: isize,
    loaded: [__m512; V],
) {
    for r in 0..R {
        // SAFETY: `r` is below `R`.
        let value = _mm512_set1_ps(unsafe { *values.offset(r as isize * stride) });
        for v in 0..V {
            sums[r][v] = _mm512_fmadd_ps(value, loaded[v], sums[r][v]);
        }
    }
}
