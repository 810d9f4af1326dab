//! Matrices side by side, and what is done with them: see [`interleaved`](crate::interleaved).

use std::marker::PhantomData;

/// How many matrices are interleaved, on every CPU.
pub const INTERLEAVED: usize = 16;

/// Matrices of one shape, number by number: the value in row `r` and column `c` of matrix `i` is
/// `values[(r * columns + c) * INTERLEAVED + i]`.
#[derive(Clone, Copy, Debug)]
pub struct Interleaved<'a, T> {
    pub(crate) values: &'a [T],
    pub(crate) dim: [usize; 2],
    /// From one row and one column to the next, in groups of [`INTERLEAVED`] numbers.
    pub(crate) strides: [usize; 2],
}

impl<'a, T> Interleaved<'a, T> {
    /// Matrices of this shape, `[rows, columns]`.
    ///
    /// # Panics
    ///
    /// If there is another number of values.
    pub fn new(values: &'a [T], dim: [usize; 2]) -> Self {
        check(values.len(), dim);
        Self { values, dim, strides: [dim[1], 1] }
    }

    /// Their transposes.
    #[must_use]
    pub fn t(self) -> Self {
        let ([rows, columns], [row, column]) = (self.dim, self.strides);
        Self { dim: [columns, rows], strides: [column, row], ..self }
    }
}

/// Panics unless so many values are the interleaved matrices of a shape.
pub(crate) fn check(len: usize, [rows, columns]: [usize; 2]) {
    let expected = rows.checked_mul(columns).and_then(|one| one.checked_mul(INTERLEAVED));
    assert_eq!(Some(len), expected, "the values of {INTERLEAVED} matrices of {rows} by {columns}");
}

/// Matrices below each other, by pointer, to be interleaved.
#[doc(hidden)]
#[derive(Debug)]
pub struct Interleave<'a, T> {
    pub(crate) dim: [usize; 2],
    pub(crate) from: *const T,
    /// From one row and one matrix to the next.
    pub(crate) strides: [isize; 2],
    pub(crate) to: *mut T,
    pub(crate) _operands: PhantomData<&'a mut T>,
}

/// The inverse.
#[doc(hidden)]
#[derive(Debug)]
pub struct Separate<'a, T> {
    pub(crate) dim: [usize; 2],
    pub(crate) from: *const T,
    pub(crate) to: *mut T,
    pub(crate) strides: [isize; 2],
    pub(crate) _operands: PhantomData<&'a mut T>,
}

/// A product whose shapes fit.
#[doc(hidden)]
#[derive(Debug)]
pub struct Product<'a, T> {
    pub(crate) a: Interleaved<'a, T>,
    pub(crate) b: Interleaved<'a, T>,
    pub(crate) accumulates: bool,
    pub(crate) c: &'a mut [T],
}
