//! Transposed copies.

use std::marker::PhantomData;

use crate::real::Real;
use crate::simd::dispatch::Loop;
use crate::simd::lanes::Lanes;
use crate::simd::operands::Transpose;

/// Copies the transpose of a matrix: `to[c to_stride + r] = from[r from_stride + c]` for each of `[rows, columns]`. Other values of
/// `to` stay as they are.
///
/// ```
/// use chainrule_tensor::vector::transpose;
/// let mut to = [0.0f32; 6];
/// transpose([2, 3], (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3), (&mut to, 2));
/// assert_eq!(to, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
/// ```
///
/// # Panics
///
/// If a slice is too short, or the rows of `to` overlap.
pub fn transpose<T: Real>(
    [rows, columns]: [usize; 2],
    (from, from_stride): (&[T], usize),
    (to, to_stride): (&mut [T], usize),
) {
    if rows == 0 || columns == 0 {
        return;
    }
    let end = |rows: usize, stride: usize, columns: usize| {
        (rows - 1).checked_mul(stride).and_then(|start| start.checked_add(columns))
    };
    assert!(end(rows, from_stride, columns).is_some_and(|end| end <= from.len()), "the matrix is larger");
    assert!(end(columns, to_stride, rows).is_some_and(|end| end <= to.len()), "the transpose is larger");
    assert!(columns == 1 || to_stride >= rows, "rows of the transpose overlap");
    T::transpose(Transpose { rows, columns, from, from_stride, to, to_stride });
}

/// Copies the transpose by squares of one vector of numbers in each row.
///
/// # Safety
///
/// The CPU has the instructions.
pub(crate) unsafe fn copy_squares<L: Lanes>(of: Transpose<'_, L::Number>) {
    // SAFETY: the caller's.
    unsafe { L::run(Squares::<L>(of, PhantomData)) }
}

struct Squares<'a, L: Lanes>(Transpose<'a, L::Number>, PhantomData<L>);

impl<L: Lanes> Loop for Squares<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// What is read of as many rows, a cache line of each, stays in the first cache until the rest of the line is read.
        const ROWS: usize = 128;

        let Transpose { rows, columns, from, from_stride, to, to_stride } = self.0;
        let whole = columns / L::COUNT * L::COUNT;
        for first in (0..rows).step_by(ROWS) {
            let rows = first..rows.min(first + ROWS);
            let squares = rows.start..rows.start + rows.len() / L::COUNT * L::COUNT;
            for column in (0..whole).step_by(L::COUNT) {
                for row in squares.clone().step_by(L::COUNT) {
                    // SAFETY: `copy_squares` has made this, whose caller has found the instructions; the square is in the matrix.
                    unsafe {
                        let from = from.as_ptr().add(row * from_stride + column);
                        let to = to.as_mut_ptr().add(column * to_stride + row);
                        L::transpose(from, from_stride as isize, to, to_stride);
                    }
                }
            }
            for row in rows {
                let start = if row < squares.end { whole } else { 0 };
                for column in start..columns {
                    to[column * to_stride + row] = from[row * from_stride + column];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Real>() {
        for (rows, columns) in [(1, 1), (1, 9), (9, 1), (8, 8), (7, 5), (17, 33), (130, 12), (300, 3)] {
            let (from_stride, to_stride) = (columns + 3, rows + 2);
            let from: Vec<T> = (0..rows * from_stride).map(|i| T::of(i as f64)).collect();
            let mut to = vec![T::of(-1.0); columns * to_stride];
            transpose([rows, columns], (&from, from_stride), (&mut to, to_stride));
            for (index, value) in to.into_iter().enumerate() {
                let (column, row) = (index / to_stride, index % to_stride);
                let right = if row < rows { from[row * from_stride + column] } else { T::of(-1.0) };
                assert_eq!(value, right, "{rows} x {columns}: [{column}, {row}]");
            }
        }
    }

    #[test]
    fn transposes_of_every_shape() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    #[should_panic(expected = "the transpose is larger")]
    fn a_short_slice_is_refused() {
        transpose([2, 2], (&[0.0f32; 4], 2), (&mut [0.0; 3], 2));
    }
}
