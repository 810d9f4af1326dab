//! Copying panels of B into the order in which they are read, and panels of C to where they belong.

use std::marker::PhantomData;

use num_traits::Zero;

use crate::real::Real;
use crate::simd::dispatch::Loop;
use crate::simd::lanes::Lanes;

/// Panels of B to be copied one after the other, each as rows of `width` values, a whole number of vectors. If `columns` is less
/// than `panels` times `width`, there is one panel, and the columns that B does not have become zeros. Either the columns or the
/// rows of B have stride 1.
pub(super) struct Pack<T> {
    pub(super) depth: usize,
    pub(super) panels: usize,
    pub(super) width: usize,
    pub(super) columns: usize,
    pub(super) b: *const T,
    pub(super) b_strides: [isize; 2],
    pub(super) packed: *mut T,
}

impl<T: Real> Pack<T> {
    /// Copies the panels.
    ///
    /// # Safety
    ///
    /// B is in bounds, what is packed may be written, and the CPU has the instructions.
    pub(super) unsafe fn copy<L: Lanes<Number = T>>(self) {
        let whole = self.columns == self.panels * self.width;
        // SAFETY: as the caller says.
        unsafe {
            match self.b_strides[1] {
                1 if whole => L::run(CopyRows::<L>(self, PhantomData)),
                1 => L::run(CopyPart::<L>(self, PhantomData)),
                _ => L::run(Transpose::<L>(self, PhantomData)),
            }
        }
    }
}

/// Rows of B that fill the panels: each is read from its beginning to its end.
struct CopyRows<L: Lanes>(Pack<L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for CopyRows<L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pack { depth, panels, width, b, b_strides: [b_row, _], packed, .. } = self.0;
        for row in 0..depth {
            // SAFETY: `Pack::copy` has made this, and its caller vouches for both.
            unsafe {
                let mut from = b.offset(row as isize * b_row);
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
struct CopyPart<L: Lanes>(Pack<L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for CopyPart<L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pack { depth, width, columns, b, b_strides: [b_row, _], packed, .. } = self.0;
        for row in 0..depth {
            for column in (0..width).step_by(L::COUNT) {
                let count = columns.saturating_sub(column);
                // SAFETY: as above; columns that B does not have are not read.
                unsafe {
                    let from = b.offset(row as isize * b_row).wrapping_add(column);
                    let vector = if count >= L::COUNT { L::load(from) } else { L::load_first(count, from) };
                    L::store(packed.add(row * width + column), vector);
                }
            }
        }
    }
}

/// Columns of B, whose values have stride 1.
struct Transpose<L: Lanes>(Pack<L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for Transpose<L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Pack { depth, panels, width, columns, b, b_strides: [_, b_column], mut packed } = self.0;
        for panel in 0..panels {
            for column in (0..width).step_by(L::COUNT) {
                let first = panel * width + column;
                let count = columns.saturating_sub(first).min(L::COUNT);
                let b = b.wrapping_offset(first as isize * b_column);
                let squares = if count == L::COUNT { depth / L::COUNT * L::COUNT } else { 0 };
                // SAFETY: as above.
                unsafe {
                    for row in (0..squares).step_by(L::COUNT) {
                        L::transpose(b.add(row), b_column, packed.add(row * width + column), width);
                    }
                    for row in squares..depth {
                        for lane in 0..L::COUNT {
                            let value = if lane < count {
                                *b.add(row).offset(lane as isize * b_column)
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
