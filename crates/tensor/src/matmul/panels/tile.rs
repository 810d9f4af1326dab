//! The innermost loops of our products: blocks of C that stay in registers while K advances.

use std::marker::PhantomData;
use std::ptr;

use num_traits::{One, Zero};

use crate::real::Real;
use crate::simd::blocking::{EvenParts, with_constant};
use crate::simd::dispatch::Loop;
use crate::simd::lanes::Lanes;

/// The maximum number of rows of a block of this number of vectors of columns: as many as leave registers for B and a value of A.
pub(super) const fn max_rows<L: Lanes>(vectors: usize) -> usize {
    let rows = if vectors <= 2 { L::ROWS } else { L::ROWS_OF_FOUR };
    if rows == 0 { 1 } else { rows }
}

/// How many vectors of columns a panel of these rows has at most: few rows leave registers for many columns.
pub(super) const fn max_vectors<L: Lanes>(rows: usize) -> usize {
    if rows <= max_rows::<L>(4) { 4 } else { 2 }
}

/// How the values of A are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout<'a> {
    /// Contiguous rows, which begin here.
    Rows(&'a [isize]),
    /// The same, of which some columns are used: where each term of a part of K is in a row.
    ListedColumns(&'a [isize], &'a [isize]),
    /// Contiguous columns.
    Columns(Columns),
    /// Contiguous columns, this far apart, of which these rows are used.
    ListedRows(&'a [isize], isize),
}

/// Contiguous columns of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Columns {
    /// This far apart.
    Strided(isize),
    /// Packed by [`PackRows`](super::pack::PackRows), in columns of this number of terms: the blocks of rows one after the other, each
    /// with its columns one after the other.
    Packed(usize),
}

/// Where the rows of B begin. Their values are contiguous.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowsOfB<'a> {
    /// This far from each other.
    Even(isize),
    /// Anywhere: a position for each term of a part of K.
    Listed(&'a [isize]),
}

impl RowsOfB<'_> {
    #[inline(always)]
    pub(super) fn start(self, row: usize) -> isize {
        match self {
            Self::Even(stride) => row as isize * stride,
            Self::Listed(starts) => starts[row],
        }
    }
}

/// A number for each sum of panels, in rows this far apart.
#[derive(Clone, Copy)]
pub(super) struct Matrix<T>(pub(super) *const T, pub(super) isize);

impl<T: Real> Matrix<T> {
    /// Adds it to the sums of rows and columns from these on.
    #[inline(always)]
    unsafe fn add_to<L: Lanes<Number = T>, const R: usize, const V: usize>(
        self,
        sums: &mut [[L::Vector; V]; R],
        row: usize,
        column: usize,
    ) {
        let Self(from, stride) = self;
        // SAFETY: the caller vouches for the pointer, and for the rows.
        unsafe {
            let from = from.offset(row as isize * stride).add(column);
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = L::add(L::load(from.offset(r as isize * stride).add(v * L::COUNT)), *sum);
                }
            }
        }
    }
}

/// What is added to sums before they are stored.
#[derive(Clone, Copy)]
pub(super) enum Addend<T> {
    None,
    Matrix(Matrix<T>),
    /// A number for each row.
    Column(*const T),
}

impl<T: Real> Addend<T> {
    /// Adds it to the sums of rows and columns from these on.
    #[inline(always)]
    unsafe fn add_to<L: Lanes<Number = T>, const R: usize, const V: usize>(
        self,
        sums: &mut [[L::Vector; V]; R],
        row: usize,
        column: usize,
    ) {
        // SAFETY: the caller vouches for the pointers, and for the rows.
        unsafe {
            match self {
                Self::None => {}
                Self::Matrix(matrix) => matrix.add_to::<L, R, V>(sums, row, column),
                Self::Column(from) => {
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let value = L::splat(*from.add(row + r));
                        for sum in sums {
                            *sum = L::add(value, *sum);
                        }
                    }
                }
            }
        }
    }
}

/// Some of the terms of a panel: where the values of A and B that they are products of begin.
#[derive(Clone, Copy)]
pub(super) struct TermRange<T> {
    /// How many terms of the panel are before these.
    pub(super) first: usize,
    pub(super) depth: usize,
    pub(super) a: *const T,
    pub(super) b: *const T,
}

/// Values that will be needed soon: `count` rows of `len` contiguous ones. They are only requested, so they may be anywhere.
#[derive(Clone, Copy)]
pub(super) struct Requested<T> {
    pub(super) from: *const T,
    pub(super) stride: isize,
    pub(super) count: usize,
    pub(super) len: usize,
}

impl<T: Real> Requested<T> {
    pub(super) const NONE: Self = Self { from: ptr::null(), stride: 0, count: 0, len: 0 };

    /// Requests them.
    #[inline(always)]
    unsafe fn request<L: Lanes<Number = T>>(self) {
        for row in 0..self.count {
            let row = self.from.wrapping_offset(row as isize * self.stride);
            for at in (0..self.len).step_by(64 / size_of::<T>()) {
                // SAFETY: the caller has found the instructions.
                unsafe { L::prefetch(row.wrapping_add(at)) };
            }
        }
    }

    /// Takes up to `count` rows off the front.
    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Self {
        let first = Self { count: count.min(self.count), ..*self };
        self.count -= first.count;
        self.from = self.from.wrapping_offset(first.count as isize * self.stride);
        first
    }
}

/// Panels of C next to each other, each some rows of a few vectors of columns: `C = init + factor (before + chain + A B)`, where the
/// sums of the product go on from those of the chain.
///
/// All pointers are to the first value, all strides in values; the columns of B and of C have stride 1.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a, T> {
    pub(super) count: usize,
    /// From the columns of B of one panel to those of the next.
    pub(super) b_step: usize,
    /// Whether all panels of a block of rows are computed before the next block.
    pub(super) along_rows: bool,
    /// What is requested meanwhile.
    pub(super) ahead: Requested<T>,
    pub(super) rows: usize,
    pub(super) vectors: usize,
    pub(super) range: TermRange<T>,
    pub(super) a_layout: Layout<'a>,
    pub(super) rows_of_b: RowsOfB<'a>,
    /// The sums of the ranges of this part of K that were before, and how far its rows are apart; null where there were none.
    pub(super) chain: (*const T, usize),
    /// The sums of the parts that were before.
    pub(super) before: Option<Matrix<T>>,
    /// What those sums are multiplied with, and these.
    pub(super) factor: T,
    /// What is added in the end.
    pub(super) init: Addend<T>,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
}

impl<T: Real> Panels<'_, T> {
    /// Computes the panels.
    ///
    /// # Safety
    ///
    /// The CPU has the instructions, `vectors` is 1, 2 or 4, and the pointers and strides are as described. C may be written and
    /// overlaps neither of the others. Unless A has
    /// contiguous rows, the rows of B are evenly spaced.
    pub(super) unsafe fn compute<L: Lanes<Number = T>>(&self) {
        // SAFETY: as the caller says.
        unsafe {
            match self.vectors {
                1 => self.with_vectors::<L, 1>(),
                2 => self.with_vectors::<L, 2>(),
                _ => self.with_vectors::<L, 4>(),
            }
        }
    }

    /// Chooses the loop before its tiles begin: they are short.
    #[inline(always)]
    unsafe fn with_vectors<L: Lanes<Number = T>, const V: usize>(&self) {
        // SAFETY: the caller's.
        unsafe {
            match (self.a_layout, self.rows_of_b) {
                (Layout::Rows(starts), RowsOfB::Even(stride)) => {
                    L::run(Tiles::<L, _, _, V>(self, ByRows(starts), Even(stride), PhantomData));
                }
                (Layout::Columns(columns), RowsOfB::Even(stride)) => {
                    L::run(Tiles::<L, _, _, V>(self, columns, Even(stride), PhantomData));
                }
                (Layout::Rows(rows), RowsOfB::Listed(starts)) => {
                    L::run(Tiles::<L, _, _, V>(self, ByRows(rows), Listed(starts), PhantomData));
                }
                (Layout::ListedColumns(rows, columns), RowsOfB::Listed(starts)) => {
                    L::run(Tiles::<L, _, _, V>(
                        self,
                        ByListedColumns(rows, columns),
                        Listed(starts),
                        PhantomData,
                    ));
                }
                (Layout::ListedRows(rows, stride), RowsOfB::Even(b_stride)) => {
                    L::run(Tiles::<L, _, _, V>(
                        self,
                        ByListedRows(rows, stride),
                        Even(b_stride),
                        PhantomData,
                    ));
                }
                (Layout::Columns(_) | Layout::ListedRows(..), RowsOfB::Listed(_)) => {
                    unreachable!("such rows of B have an A with contiguous rows that is not packed")
                }
                (Layout::ListedColumns(..), RowsOfB::Even(_)) => {
                    unreachable!("what is listed of A is listed of B")
                }
            }
        }
    }
}

/// The tiles of a panel of `V` vectors of columns, which [`Panels::compute`] alone makes.
struct Tiles<'a, L: Lanes, A, B, const V: usize>(&'a Panels<'a, L::Number>, A, B, PhantomData<L>);

impl<L: Lanes, A: Left, B: Right, const V: usize> Loop for Tiles<'_, L, A, B, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self(panels, a, b, _) = self;
        let limit = const { max_rows::<L>(V) };
        let mut ahead = panels.ahead;
        let share = match ahead.count {
            0 => 0,
            count => count.div_ceil(panels.count * panels.rows.div_ceil(limit)),
        };
        let blocks = EvenParts::new(panels.rows, limit);
        let counts = [panels.count, blocks.count];
        let [outer, inner] = if panels.along_rows { [counts[1], counts[0]] } else { counts };
        for first in 0..outer {
            for second in 0..inner {
                let [panel, block] = if panels.along_rows { [second, first] } else { [first, second] };
                let (row, rows) = blocks.part(block);
                if share > 0 {
                    // SAFETY: the CPU has the instructions.
                    unsafe { ahead.take(share).request::<L>() };
                }
                // SAFETY: `Panels::compute` has made the panels, and its caller vouches for them; the rows are some of theirs.
                unsafe {
                    with_constant!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], |R| {
                        // Blocks of more rows are not compiled.
                        if const { R <= max_rows::<L>(V) } {
                            tile::<L, A, B, R, V>(panels, a, b, panel, row);
                        }
                    });
                }
            }
        }
    }
}

/// `R` rows of `V` vectors of columns.
#[inline(always)]
unsafe fn tile<L: Lanes, A: Left, B: Right, const R: usize, const V: usize>(
    panels: &Panels<'_, L::Number>,
    a: A,
    b: B,
    panel: usize,
    row: usize,
) {
    let Panels { range, b_step, chain: (chain, chain_stride), before, factor, init, c, c_stride, .. } =
        *panels;
    let column = panel * V * L::COUNT;
    // SAFETY: the caller vouches for the panels and that these are some of their rows.
    unsafe {
        let mut sums = [[L::splat(L::Number::zero()); V]; R];
        if !chain.is_null() {
            for (r, sums) in sums.iter_mut().enumerate() {
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = L::load(chain.add((row + r) * chain_stride + column + v * L::COUNT));
                }
            }
        }
        let first = range.b.add(panel * b_step);
        b.add_terms::<L, _, R, V>(
            &mut sums,
            &TermRange { b: first, ..range },
            a.block::<L::Number, R>(&range, row),
        );
        let c = c.offset(row as isize * c_stride).add(column);
        if let Some(before) = before {
            before.add_to::<L, R, V>(&mut sums, row, column);
        }
        if factor != L::Number::one() {
            let (factor, zero) = (L::splat(factor), L::splat(-L::Number::zero()));
            for sums in &mut sums {
                for sum in sums {
                    *sum = L::mul_add(factor, *sum, zero);
                }
            }
        }
        init.add_to::<L, R, V>(&mut sums, row, column);
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                L::store(c.offset(r as isize * c_stride).add(v * L::COUNT), sum);
            }
        }
    }
}

/// A layout of A.
trait Left: Copy {
    /// `R` rows for the terms of a range, from a row of the panel on.
    ///
    /// # Safety
    ///
    /// There are such rows and terms.
    unsafe fn block<T: Real, const R: usize>(self, range: &TermRange<T>, row: usize) -> impl Block<T>;
}

#[derive(Clone, Copy)]
struct ByRows<'a>(&'a [isize]);

impl Left for ByRows<'_> {
    #[inline(always)]
    unsafe fn block<T: Real, const R: usize>(self, range: &TermRange<T>, row: usize) -> impl Block<T> {
        let mut rows = [range.a; R];
        for (r, pointer) in rows.iter_mut().enumerate() {
            // SAFETY: the caller vouches for it, here and below.
            *pointer = unsafe { range.a.offset(*self.0.get_unchecked(row + r)) };
        }
        Rows(rows)
    }
}

#[derive(Clone, Copy)]
struct ByListedColumns<'a>(&'a [isize], &'a [isize]);

impl Left for ByListedColumns<'_> {
    #[inline(always)]
    unsafe fn block<T: Real, const R: usize>(self, range: &TermRange<T>, row: usize) -> impl Block<T> {
        let mut rows = [range.a; R];
        for (r, pointer) in rows.iter_mut().enumerate() {
            // SAFETY: as above.
            *pointer = unsafe { range.a.offset(*self.0.get_unchecked(row + r)) };
        }
        ListedTerms { rows, columns: &self.1[range.first..] }
    }
}

#[derive(Clone, Copy)]
struct ByListedRows<'a>(&'a [isize], isize);

impl Left for ByListedRows<'_> {
    #[inline(always)]
    unsafe fn block<T: Real, const R: usize>(self, range: &TermRange<T>, row: usize) -> impl Block<T> {
        let mut rows = [0; R];
        for (r, start) in rows.iter_mut().enumerate() {
            // SAFETY: as above.
            *start = unsafe { *self.0.get_unchecked(row + r) };
        }
        ListedBlock { from: range.a, rows, stride: self.1 }
    }
}

impl Left for Columns {
    #[inline(always)]
    unsafe fn block<T: Real, const R: usize>(self, range: &TermRange<T>, row: usize) -> impl Block<T> {
        // SAFETY: as above.
        unsafe {
            match self {
                Self::Strided(stride) => ColumnBlock { from: range.a.add(row), stride },
                Self::Packed(depth) => {
                    ColumnBlock { from: range.a.add(row * depth + range.first * R), stride: R as isize }
                }
            }
        }
    }
}

/// `R` rows of A, in one of the layouts.
trait Block<T> {
    /// The value of A in a row, for a term.
    ///
    /// # Safety
    ///
    /// There are such a row and such a term.
    unsafe fn value(&self, row: usize, term: usize) -> T;
}

struct Rows<T, const R: usize>([*const T; R]);

impl<T: Real, const R: usize> Block<T> for Rows<T, R> {
    #[inline(always)]
    unsafe fn value(&self, row: usize, term: usize) -> T {
        // SAFETY: the caller vouches for it, here and below.
        unsafe { *self.0[row].add(term) }
    }
}

struct ListedTerms<'a, T, const R: usize> {
    rows: [*const T; R],
    columns: &'a [isize],
}

impl<T: Real, const R: usize> Block<T> for ListedTerms<'_, T, R> {
    #[inline(always)]
    unsafe fn value(&self, row: usize, term: usize) -> T {
        // SAFETY: as above.
        unsafe { *self.rows[row].offset(*self.columns.get_unchecked(term)) }
    }
}

struct ListedBlock<T, const R: usize> {
    from: *const T,
    rows: [isize; R],
    stride: isize,
}

impl<T: Real, const R: usize> Block<T> for ListedBlock<T, R> {
    #[inline(always)]
    unsafe fn value(&self, row: usize, term: usize) -> T {
        // SAFETY: as above.
        unsafe { *self.from.offset(term as isize * self.stride).offset(self.rows[row]) }
    }
}

struct ColumnBlock<T> {
    from: *const T,
    stride: isize,
}

impl<T: Real> Block<T> for ColumnBlock<T> {
    #[inline(always)]
    unsafe fn value(&self, row: usize, term: usize) -> T {
        // SAFETY: as above.
        unsafe { *self.from.offset(term as isize * self.stride).add(row) }
    }
}

/// Where rows of B begin.
trait Right: Copy {
    /// Adds a product to each sum for each term of a range, in their order.
    ///
    /// # Safety
    ///
    /// There are such terms.
    unsafe fn add_terms<L: Lanes, A: Block<L::Number>, const R: usize, const V: usize>(
        self,
        sums: &mut [[L::Vector; V]; R],
        range: &TermRange<L::Number>,
        a: A,
    );
}

#[derive(Clone, Copy)]
struct Even(isize);

impl Right for Even {
    #[inline(always)]
    unsafe fn add_terms<L: Lanes, A: Block<L::Number>, const R: usize, const V: usize>(
        self,
        sums: &mut [[L::Vector; V]; R],
        range: &TermRange<L::Number>,
        a: A,
    ) {
        /// As many terms share the steps of pointers and the end of the loop.
        const UNROLLED: usize = 2;

        let TermRange { depth, mut b, .. } = *range;
        // SAFETY: the caller vouches for all terms, here and below.
        unsafe {
            let mut k = 0;
            while k + UNROLLED <= depth {
                for i in 0..UNROLLED {
                    add_term::<L, R, V>(sums, b, &a, k + i);
                    b = b.wrapping_offset(self.0);
                }
                k += UNROLLED;
            }
            while k < depth {
                add_term::<L, R, V>(sums, b, &a, k);
                b = b.wrapping_offset(self.0);
                k += 1;
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Listed<'a>(&'a [isize]);

impl Right for Listed<'_> {
    #[inline(always)]
    unsafe fn add_terms<L: Lanes, A: Block<L::Number>, const R: usize, const V: usize>(
        self,
        sums: &mut [[L::Vector; V]; R],
        &TermRange { first, depth, b, .. }: &TermRange<L::Number>,
        a: A,
    ) {
        for k in 0..depth {
            // SAFETY: as above.
            unsafe { add_term::<L, R, V>(sums, b.offset(*self.0.get_unchecked(first + k)), &a, k) };
        }
    }
}

#[inline(always)]
unsafe fn add_term<L: Lanes, const R: usize, const V: usize>(
    sums: &mut [[L::Vector; V]; R],
    b: *const L::Number,
    a: &impl Block<L::Number>,
    k: usize,
) {
    // SAFETY: the caller vouches for a vector for each `V`.
    unsafe {
        let mut loaded = [L::splat(L::Number::zero()); V];
        for (v, loaded) in loaded.iter_mut().enumerate() {
            *loaded = L::load(b.add(v * L::COUNT));
        }
        for (r, sums) in sums.iter_mut().enumerate() {
            let value = L::splat(a.value(r, k));
            for (sum, loaded) in sums.iter_mut().zip(loaded) {
                *sum = L::mul_add(value, loaded, *sum);
            }
        }
    }
}
