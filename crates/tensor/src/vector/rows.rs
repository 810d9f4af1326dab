//! Adding a vector to each row of a matrix, as a bias, and adding the rows up, as its gradient.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, Axis, s};

use super::blocks::{BlockSums, CHAIN};
use super::columns::{ColumnBlock, for_each_block};
use super::lanes::LANES;
use super::map::add;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// Adds `x` to each row of `rows`.
struct AddToRows<'a, T> {
    x: &'a [T],
    rows: &'a mut [T],
}

impl<T: Real> ColumnBlock for AddToRows<'_, T> {
    const WIDEST: usize = 8 * LANES;

    #[inline(always)]
    fn run<const N: usize>(&mut self, first: usize) {
        let mut x = [T::zero(); N];
        x.copy_from_slice(&self.x[first..first + N]);
        for row in self.rows.chunks_exact_mut(self.x.len()) {
            let row = &mut row[first..first + N];
            for i in 0..N {
                row[i] += x[i];
            }
        }
    }
}

impl<T: Real> Loop for AddToRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for_each_block(self.x.len(), self);
    }
}

/// `y += x` for a vector `x` and every row of `y`.
///
/// # Panics
///
/// If `x` does not have one value for each column of `y`.
#[inline]
pub fn add_to_rows<T: Real>(x: ArrayView1<'_, T>, mut y: ArrayViewMut2<'_, T>) {
    assert_eq!(x.len(), y.ncols(), "one value for each column");
    match (x.as_slice(), y.as_slice_mut()) {
        (Some(x), Some(rows)) if !x.is_empty() => run(AddToRows { x, rows }),
        _ => y.rows_mut().into_iter().for_each(|row| add(x, row)),
    }
}

/// Adds the rows to `sum`.
struct SumRows<'a, T> {
    rows: &'a [T],
    sum: &'a mut [T],
}

impl<T: Real> ColumnBlock for SumRows<'_, T> {
    const WIDEST: usize = 8 * LANES;

    #[inline(always)]
    fn run<const N: usize>(&mut self, first: usize) {
        let columns = self.sum.len();
        let block_len = CHAIN * columns;
        // Most batches are one block.
        let added = if self.rows.len() <= block_len {
            sum_block::<T, N>(self.rows, columns, first)
        } else {
            let mut totals = BlockSums::zeros();
            for block in self.rows.chunks(block_len) {
                totals.add(sum_block::<T, N>(block, columns, first));
            }
            totals.totals()
        };
        let sum = &mut self.sum[first..first + N];
        for i in 0..N {
            sum[i] += added[i];
        }
    }
}

/// The sums of `N` columns from `first` on, over the rows of a block.
#[inline(always)]
fn sum_block<T: Real, const N: usize>(block: &[T], columns: usize, first: usize) -> [T; N] {
    let mut sums = [T::zero(); N];
    for row in block.chunks_exact(columns) {
        let row = &row[first..first + N];
        for i in 0..N {
            sums[i] += row[i];
        }
    }
    sums
}

/// [`SumRows`] for views whose rows are not stored one after the other.
fn sum_strided_rows<T: Real>(x: ArrayView2<'_, T>, mut sum: ArrayViewMut1<'_, T>) {
    for (index, mut sum) in sum.axis_chunks_iter_mut(Axis(0), LANES).enumerate() {
        let first = index * LANES;
        let columns = x.slice(s![.., first..first + sum.len()]);
        let mut totals = BlockSums::<T, LANES>::zeros();
        for block in columns.axis_chunks_iter(Axis(0), CHAIN) {
            let mut sums = [T::zero(); LANES];
            for row in block.rows() {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += value);
            }
            totals.add(sums);
        }
        sum.iter_mut().zip(totals.totals()).for_each(|(sum, total)| *sum += total);
    }
}

impl<T: Real> Loop for SumRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for_each_block(self.sum.len(), self);
    }
}

/// `sum += row` for every row of `x`: the gradient of [`add_to_rows`].
///
/// # Panics
///
/// If `sum` does not have one value for each column of `x`.
#[inline]
pub fn sum_rows<T: Real>(x: ArrayView2<'_, T>, mut sum: ArrayViewMut1<'_, T>) {
    assert_eq!(sum.len(), x.ncols(), "one value for each column");
    match (x.as_slice(), sum.as_slice_mut()) {
        (Some(rows), Some(sum)) if !sum.is_empty() => run(SumRows { rows, sum }),
        _ => sum_strided_rows(x, sum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::random_matrix::random_matrix as matrix;

    #[test]
    fn bias_and_its_gradient() {
        // With each size of block, and views whose rows are not contiguous.
        for columns in [1, 2, 3, 10, 21, 42, 95, 128, 300] {
            let (x, mut y) = (matrix(1, columns), matrix(5, columns));
            let before = y.clone();
            add_to_rows(x.row(0), y.view_mut());
            assert_eq!(y, &before + &x);
            add_to_rows(x.slice(s![0, ..;2]), y.slice_mut(s![.., ..;2]));
            let mut total = ndarray::Array1::<f64>::ones(columns);
            sum_rows(y.view(), total.view_mut());
            for (total, column) in total.iter().zip(y.columns()) {
                assert!((total - 1.0 - column.sum()).abs() < 1e-12);
            }
            let mut half = ndarray::Array1::<f64>::ones(columns.div_ceil(2));
            sum_rows(y.slice(s![.., ..;2]), half.view_mut());
            assert_eq!(half, total.slice(s![..;2]));
        }
    }
}
