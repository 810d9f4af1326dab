//! A vector and the rows of a matrix: adding it to each of them, as a bias is, and adding them up, as its gradient is.

use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2};

use super::lanes::LANES;
use super::map::add;
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};

/// What is done with a stretch of columns in all rows.
trait Stretch {
    /// Does it with `N` columns from `first` on. What belongs to the columns stays in registers while the rows go by, since
    /// their number is known while compiling.
    fn run<const N: usize>(&mut self, first: usize);
}

/// Goes through all columns, in stretches as wide as they fit.
#[inline(always)]
fn in_stretches(columns: usize, mut kernel: impl Stretch) {
    let mut first = 0;
    while columns - first >= 8 * LANES {
        kernel.run::<{ 8 * LANES }>(first);
        first += 8 * LANES;
    }
    while columns - first >= 4 * LANES {
        kernel.run::<{ 4 * LANES }>(first);
        first += 4 * LANES;
    }
    while columns - first >= LANES {
        kernel.run::<LANES>(first);
        first += LANES;
    }
    while columns - first >= 8 {
        kernel.run::<8>(first);
        first += 8;
    }
    if columns - first >= 4 {
        kernel.run::<4>(first);
        first += 4;
    }
    if columns - first >= 2 {
        kernel.run::<2>(first);
        first += 2;
    }
    if columns > first {
        kernel.run::<1>(first);
    }
}

/// Adds `x` to each row of `rows`, as many as there are.
struct AddToRows<'a, T> {
    x: &'a [T],
    rows: &'a mut [T],
}

impl<T: Real> Stretch for AddToRows<'_, T> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, first: usize) {
        let x = &self.x[first..first + N];
        let x: [T; N] = std::array::from_fn(|i| x[i]);
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
        in_stretches(self.x.len(), self);
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

impl<T: Real> Stretch for SumRows<'_, T> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, first: usize) {
        let columns = self.sum.len();
        let place = &mut self.sum[first..first + N];
        let mut sum: [T; N] = std::array::from_fn(|i| place[i]);
        for row in self.rows.chunks_exact(columns) {
            let row = &row[first..first + N];
            for i in 0..N {
                sum[i] += row[i];
            }
        }
        place.copy_from_slice(&sum);
    }
}

impl<T: Real> Loop for SumRows<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        in_stretches(self.sum.len(), self);
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
    use crate::vector::random_matrix::random_matrix as matrix;
    use ndarray::s;

    #[test]
    fn bias_and_its_gradient() {
        // With each of the stretches, and views whose rows do not lie together.
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
