//! A vector and the rows of a matrix: adding it to each of them, as a bias is, and adding them up, as its gradient is.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::{LANES, add};
use crate::Real;
use crate::isa::{Kernel, run};

/// Adds `x` to each row of `rows`, as many as there are.
struct AddToRows<'a, T> {
    x: &'a [T],
    rows: &'a mut [T],
}

impl<T: Real> Kernel for AddToRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { x, rows } = self;
        for row in rows.chunks_exact_mut(x.len()) {
            for i in 0..x.len() {
                row[i] += x[i];
            }
        }
    }
}

/// `y += x` for a vector `x` and every row of `y`.
///
/// # Panics
///
/// If `x` has not one value for each column of `y`.
#[inline]
pub fn add_to_rows<T: Real>(x: ArrayView1<'_, T>, mut y: ArrayViewMut2<'_, T>) {
    assert_eq!(x.len(), y.ncols(), "one value for each column");
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(rows)) if !x.is_empty() => run(AddToRows { x, rows }),
        _ => y.rows_mut().into_iter().for_each(|row| add(x, row)),
    }
}

/// Adds the rows up, onto `sum`.
struct SumRows<'a, T> {
    rows: &'a [T],
    sum: &'a mut [T],
}

impl<T: Real> Kernel for SumRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { rows, sum } = self;
        // A block of columns stays in a register while the rows go by.
        let columns = sum.len();
        let (blocks, rest) = sum.as_chunks_mut::<LANES>();
        let first_of_rest = LANES * blocks.len();
        for (block, sum) in blocks.iter_mut().enumerate() {
            for row in rows.chunks_exact(columns) {
                let row = &row[LANES * block..LANES * (block + 1)];
                for i in 0..LANES {
                    sum[i] += row[i];
                }
            }
        }
        if !rest.is_empty() {
            for row in rows.chunks_exact(columns) {
                let row = &row[first_of_rest..];
                for i in 0..rest.len() {
                    rest[i] += row[i];
                }
            }
        }
    }
}

/// `sum += row` for every row of `x`: the gradient of [`add_to_rows`].
///
/// # Panics
///
/// If `sum` has not one value for each column of `x`.
#[inline]
pub fn sum_rows<T: Real>(x: ArrayView2<'_, T>, mut sum: ArrayViewMut1<'_, T>) {
    assert_eq!(sum.len(), x.ncols(), "one value for each column");
    match (x.as_slice(), sum.as_slice_mut()) {
        (Some(rows), Some(sum)) if !sum.is_empty() => run(SumRows { rows, sum }),
        _ => x.rows().into_iter().for_each(|row| add(row, sum.view_mut())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::matrix;
    use ndarray::s;

    #[test]
    fn bias_and_its_gradient() {
        let (x, mut y) = (matrix(1, 21), matrix(5, 42));
        let before = y.clone();
        add_to_rows(x.row(0), y.slice_mut(s![.., ..;2]));
        assert_eq!(y.slice(s![.., ..;2]), &before.slice(s![.., ..;2]) + &x);
        let mut total = ndarray::Array1::<f64>::ones(42);
        sum_rows(y.view(), total.view_mut());
        for (total, column) in total.iter().zip(y.columns()) {
            assert!((total - 1.0 - column.sum()).abs() < 1e-12);
        }
    }
}
