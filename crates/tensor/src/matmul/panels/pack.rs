//! Copying panels of B into the order in which they are read, and panels of C to where they belong.

use std::marker::PhantomData;

use num_traits::Zero;

use super::tile::{RowsOfB, TermRange, max_rows};
use crate::real::Real;
use crate::simd::blocking::{even_parts, with_constant};
use crate::simd::dispatch::Loop;
use crate::simd::lanes::Lanes;

/// Rows of B to be copied to panels, each of `depth` rows of `width` values, a whole number of vectors. If `columns` is less
/// than `panels` times `width`, there is one panel, and the columns that B does not have become zeros. It is fast where the columns or
/// the rows of B have stride 1.
pub(super) struct Pack<'a, T> {
    pub(super) rows: usize,
    pub(super) rows_of_b: RowsOfB<'a>,
    pub(super) depth: usize,
    pub(super) panels: usize,
    pub(super) width: usize,
    pub(super) columns: usize,
    pub(super) b: *const T,
    pub(super) b_column: isize,
    pub(super) packed: *mut T,
}

impl<T: Real> Pack<'_, T> {
    /// Copies the panels.
    ///
    /// # Safety
    ///
    /// B is in bounds, what is packed may be written, and the CPU has the instructions.
    pub(super) unsafe fn copy<L: Lanes<Number = T>>(self) {
        let whole = self.columns == self.panels * self.width;
        // SAFETY: as the caller says.
        unsafe {
            match self.b_column {
                1 if whole => L::run(CopyRows::<L>(self, PhantomData)),
                1 => L::run(CopyPart::<L>(self, PhantomData)),
                _ => L::run(Transpose::<L>(self, PhantomData)),
            }
        }
    }
}

/// Rows of B that fill the panels: each is read from its beginning to its end.
struct CopyRows<'a, L: Lanes>(Pack<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for CopyRows<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pack { rows, rows_of_b, depth, panels, width, b, packed, .. } = self.0;
        for row in 0..rows {
            // SAFETY: `Pack::copy` has made this, and its caller vouches for both.
            unsafe {
                let mut from = b.offset(rows_of_b.start(row));
                let mut to = packed.add(row * width);
                for _ in 0..panels {
                    for column in (0..width).step_by(L::COUNT) {
                        L::store(to.add(column), L::load(from.add(column)));
                    }
                    from = from.add(width);
                    to = to.wrapping_add(depth * width);
                }
            }
        }
    }
}

/// Rows of B that do not fill a panel.
struct CopyPart<'a, L: Lanes>(Pack<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for CopyPart<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pack { rows, rows_of_b, width, columns, b, packed, .. } = self.0;
        for row in 0..rows {
            for column in (0..width).step_by(L::COUNT) {
                let count = columns.saturating_sub(column);
                // SAFETY: as above; columns that B does not have are not read.
                unsafe {
                    let from = b.offset(rows_of_b.start(row)).wrapping_add(column);
                    let vector = if count >= L::COUNT { L::load(from) } else { L::load_first(count, from) };
                    L::store(packed.add(row * width + column), vector);
                }
            }
        }
    }
}

/// Columns of B, of any stride.
struct Transpose<'a, L: Lanes>(Pack<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for Transpose<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pack { rows, rows_of_b, depth, panels, width, columns, b, b_column, mut packed } = self.0;
        let contiguous = matches!(rows_of_b, RowsOfB::Even(1));
        for panel in 0..panels {
            for column in (0..width).step_by(L::COUNT) {
                let first = panel * width + column;
                let count = columns.saturating_sub(first).min(L::COUNT);
                let b = b.wrapping_offset(first as isize * b_column);
                let squares = if count == L::COUNT && contiguous { rows / L::COUNT * L::COUNT } else { 0 };
                // SAFETY: as above.
                unsafe {
                    for row in (0..squares).step_by(L::COUNT) {
                        L::transpose(b.add(row), b_column, packed.add(row * width + column), width);
                    }
                    for row in squares..rows {
                        for lane in 0..L::COUNT {
                            let value = if lane < count {
                                *b.offset(rows_of_b.start(row) + lane as isize * b_column)
                            } else {
                                L::Number::zero()
                            };
                            *packed.add(row * width + column + lane) = value;
                        }
                    }
                }
            }
            packed = packed.wrapping_add(depth * width);
        }
    }
}

/// Rows of A to be copied in blocks, as a panel of as many rows and two vectors is cut: the columns of a block one after the other, of
/// `depth` terms in all.
pub(super) struct PackRows<'a, T> {
    /// Where the rows begin.
    pub(super) rows: &'a [isize],
    pub(super) depth: usize,
    pub(super) ranges: &'a [TermRange<T>],
    pub(super) a_strides: [isize; 2],
    pub(super) packed: *mut T,
}

impl<T: Real> PackRows<'_, T> {
    /// Copies the rows.
    ///
    /// # Safety
    ///
    /// A is in bounds, what is packed may be written, and the CPU has the instructions.
    pub(super) unsafe fn copy<L: Lanes<Number = T>>(self) {
        // SAFETY: as the caller says.
        unsafe { L::run(CopyBlocks::<L>(self, PhantomData)) }
    }
}

struct CopyBlocks<'a, L: Lanes>(PackRows<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for CopyBlocks<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (row, rows) in even_parts(self.0.rows.len(), const { max_rows::<L>(2) }) {
            // SAFETY: `PackRows::copy` has made this, and its caller vouches for both; the rows are some of these.
            unsafe {
                with_constant!(rows, [1 2 3 4 5 6 7 8 9 10 11 12], |R| {
                    // Blocks of more rows are not compiled.
                    if const { R <= max_rows::<L>(2) } {
                        copy_block::<L::Number, R>(&self.0, row);
                    }
                });
            }
        }
    }
}

/// `R` rows of A.
#[inline(always)]
unsafe fn copy_block<T: Real, const R: usize>(of: &PackRows<'_, T>, row: usize) {
    let PackRows { rows, depth, ranges, a_strides: [a_row, a_column], packed } = *of;
    for &TermRange { first, depth: terms, a, .. } in ranges {
        // SAFETY: the caller vouches for the rows, and for what is packed.
        unsafe {
            let packed = packed.add(row * depth + first * R);
            let is_contiguous = a_row == 1 && rows[row + R - 1] - rows[row] == R as isize - 1;
            if is_contiguous {
                let a = a.offset(rows[row]);
                for k in 0..terms {
                    let column = a.offset(k as isize * a_column).cast::<[T; R]>();
                    packed.add(k * R).cast::<[T; R]>().write(column.read());
                }
            } else {
                let mut starts = [a; R];
                for (start, &row) in starts.iter_mut().zip(&rows[row..]) {
                    *start = a.offset(row);
                }
                for k in 0..terms {
                    for (r, start) in starts.into_iter().enumerate() {
                        *packed.add(k * R + r) = *start.offset(k as isize * a_column);
                    }
                }
            }
        }
    }
}

/// Columns of C that do not fill a panel, to be copied or added to C.
pub(super) struct Unpack<T> {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) packed: *const T,
    pub(super) width: usize,
    pub(super) c: *mut T,
    pub(super) c_stride: isize,
    pub(super) accumulates: bool,
}

impl<T: Real> Unpack<T> {
    /// Copies or adds the columns.
    ///
    /// # Safety
    ///
    /// C may be written, what is packed has `width` columns, a whole number of vectors, and the CPU has the instructions.
    pub(super) unsafe fn copy<L: Lanes<Number = T>>(self) {
        // SAFETY: as the caller says.
        unsafe { L::run(CopyBack::<L>(self, PhantomData)) }
    }
}

struct CopyBack<L: Lanes>(Unpack<L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for CopyBack<L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Unpack { rows, columns, packed, width, c, c_stride, accumulates } = self.0;
        for row in 0..rows {
            for column in (0..columns).step_by(L::COUNT) {
                // SAFETY: `Unpack::copy` has made this, and its caller vouches for both; no other columns of C are touched.
                unsafe {
                    let c = c.offset(row as isize * c_stride).add(column);
                    let mut sum = L::load(packed.add(row * width + column));
                    if accumulates {
                        sum = L::add(L::load_first(columns - column, c), sum);
                    }
                    L::store_first(columns - column, c, sum);
                }
            }
        }
    }
}
