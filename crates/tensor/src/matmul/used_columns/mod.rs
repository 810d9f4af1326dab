//! Products of a matrix some of whose columns are zeros: those of a batch of samples, as the pixels at the edge of an image.
//!
//! What such a column is multiplied with adds nothing to a sum, so a product may leave it out. The terms that are left stay in the
//! chains in which they would be otherwise, so the result has the same bits: a sum begins at 0, and to add 0 to a number changes nothing.

mod marks;
#[cfg(test)]
mod tests;

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2};

use super::chain::CHAIN;
use super::portable::choice;
use super::split_depth::LONG;
use super::{gemm, gemm_sum};
use crate::real::Real;
use crate::simd::operands::{Indices, Used};
use marks::Marks;

/// The columns of a matrix that are not all zeros.
///
/// ```
/// use chainrule_tensor::UsedColumns;
/// use ndarray::array;
///
/// let x = array![[0.0, 2.0, 0.0, 0.0], [0.0, 3.0, 0.0, -1.0]];
/// let mut used = UsedColumns::default();
/// assert_eq!(used.find(x.as_slice().unwrap(), 4, 1), 3.0);
/// assert_eq!(used.indices(), [1, 3]);
///
/// let w = array![[5.0], [1.0], [5.0], [10.0]];
/// let mut z = array![[0.0], [0.0]];
/// used.product(x.view(), w.view(), z.view_mut());
/// assert_eq!(z, array![[2.0], [-7.0]]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct UsedColumns<T: Real> {
    /// The largest absolute value.
    largest: T,
    /// Where the values are that are not 0.
    marks: Marks,
    /// The indices of the columns, in increasing order, and after them numbers without a meaning.
    indices: Vec<u32>,
    len: usize,
    /// Scratch space for the marks of all columns.
    joint: Vec<u32>,
}

impl<T: Real> UsedColumns<T> {
    /// How many rows are best [looked](Self::look) at together.
    pub const ROWS: usize = 8;

    /// Finds them in the values of a matrix with `columns` columns, row after row, which is to be multiplied with a weight of so many `units`.
    /// Returns the largest absolute value; NaN if one of the
    /// values is NaN, and 0 if there are none. A column with a NaN or an infinity is used.
    ///
    /// Nothing is allocated, unless there are more rows or columns than ever before.
    ///
    /// # Panics
    ///
    /// If the last row is not complete.
    pub fn find(&mut self, values: &[T], columns: usize, units: usize) -> T {
        assert!(
            values.is_empty() || columns > 0 && values.len().is_multiple_of(columns),
            "{} values in {columns} columns",
            values.len()
        );
        self.begin(columns, units);
        let few = Self::ROWS * columns.max(1);
        values.chunks(few).for_each(|rows| self.look(rows));
        self.end()
    }

    /// Begins to look at a matrix of so many columns, some rows at a time: as [`find`](Self::find), while the rows are still in the cache.
    ///
    /// What was found before is forgotten.
    ///
    /// # Panics
    ///
    /// If there are 2³² columns or more.
    pub fn begin(&mut self, columns: usize, units: usize) {
        assert!(u32::try_from(columns).is_ok(), "{columns} columns; at most 2³² - 1");
        // Longer sums, and products of more rows or with more units, are not computed from marks.
        let max_rows = if units <= MAX_UNITS_OF_MARKED { columns.max(CHAIN) } else { CHAIN };
        self.marks.begin(columns, max_rows);
        self.largest = T::zero();
    }

    /// Looks at whole rows; what follows the last one is not looked at.
    pub fn look(&mut self, rows: &[T]) {
        self.largest = raised(self.largest, self.marks.look(rows));
    }

    /// Finds the columns that are used in all rows that were looked at. Returns the largest absolute value, as [`find`](Self::find) does.
    pub fn end(&mut self) -> T {
        let Self { marks, indices, joint, len, .. } = self;
        for room in [&mut *joint, &mut *indices] {
            if room.len() < marks.columns() {
                room.resize(marks.columns(), 0);
            }
        }
        *len = marks.list(joint, indices);
        self.largest
    }

    /// Replaces them by the columns that any of these matrices uses, one below the other.
    ///
    /// # Panics
    ///
    /// If the matrices have different numbers of columns.
    pub fn join<'a>(&mut self, all: impl IntoIterator<Item = &'a Self>) {
        self.begin(0, 0);
        for (index, one) in all.into_iter().enumerate() {
            if index == 0 {
                self.begin(one.columns(), 0);
            }
            assert_eq!(self.columns(), one.columns(), "matrices with as many columns");
            self.marks.append(&one.marks);
            self.largest = raised(self.largest, one.largest);
        }
        self.end();
    }

    /// Whether a matrix with this row can have so many columns of zeros that it pays to look for them.
    pub fn may_be_fewer(row: &[T]) -> bool {
        row.len() >= MIN_COLUMNS && pays(row.len() - marks::zeros(row), row.len())
    }

    /// Whether the columns are so few that products take less time than with all.
    pub fn are_fewer(&self) -> bool {
        pays(self.len, self.columns())
    }

    /// The number of columns of the matrix.
    pub fn columns(&self) -> usize {
        self.marks.columns()
    }

    /// The columns that are not all zeros, in increasing order.
    pub fn indices(&self) -> &[u32] {
        &self.indices[..self.len]
    }

    /// `Z = X W`, for the X whose columns these are: `[rows, columns]`, `W` of shape `[columns, units]`. It is [`gemm()`]'s result to the
    /// last bit, except that a 0 may have another sign, if all values of W are finite.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, or X has another number of columns.
    pub fn product(&self, x: ArrayView2<'_, T>, w: ArrayView2<'_, T>, mut z: ArrayViewMut2<'_, T>) {
        assert_eq!(x.ncols(), self.columns(), "the columns of X were looked at");
        let fits = w.nrows() == x.ncols() && z.dim() == (x.nrows(), w.ncols()) && !z.is_empty();
        if fits && x.ncols() <= LONG && self.are_fewer() {
            let indices = Indices::new(self.indices(), 0..x.ncols());
            let are_marked = self.marks.rows() == Some(x.nrows());
            let marks = are_marked.then(|| self.marks.of_columns(0..x.ncols()));
            let used = marks.map_or(Used::Columns(indices), |marks| Used::MarkedColumns(indices, marks));
            if T::product(choice(), T::one(), &[(x, w)], used, T::zero(), &mut z) {
                return;
            }
        }
        gemm(T::one(), x, w, T::zero(), z);
    }

    /// `dW = Σ Xᵀ dZ + beta dW` for some rows of W, where these are the columns of all the X together: each of the products is of those
    /// `columns` of an X, transposed, and a dZ. It is the result of [`gemm_sum`] to the last bit, except that a 0 may have another
    /// sign, if all values of the dZ are finite.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, if there are more products than [`gemm_sum`] adds up, or if an X has no such columns.
    pub fn sum_of_products(
        &self,
        products: &[(ArrayView2<'_, T>, ArrayView2<'_, T>)],
        columns: Range<usize>,
        beta: T,
        mut dw: ArrayViewMut2<'_, T>,
    ) {
        assert!(columns.end <= self.columns() && columns.len() == dw.nrows(), "columns of X");
        let fits = products
            .iter()
            .all(|(x, dz)| x.ncols() == dz.nrows() && dw.dim() == (x.nrows(), dz.ncols()) && x.ncols() > 0);
        let from = |column: usize| self.indices().partition_point(|&index| (index as usize) < column);
        let indices = &self.indices()[from(columns.start)..from(columns.end)];
        if fits && !dw.is_empty() && !products.is_empty() && pays(indices.len(), columns.len()) {
            let rows = products.iter().map(|(x, _)| x.ncols()).sum();
            let are_marked = self.marks.rows() == Some(rows) && self.marks.are_sparse(indices);
            let marks = are_marked.then(|| self.marks.of_columns(columns.clone()));
            let indices = Indices::new(indices, columns);
            let used = marks.map_or(Used::Rows(indices), |marks| Used::MarkedRows(indices, marks));
            if T::product(choice(), T::one(), products, used, beta, &mut dw) {
                return;
            }
        }
        gemm_sum(products, beta, dw);
    }
}

/// Zeros are not worth a look in smaller rows: the products are too short to gain from it.
const MIN_COLUMNS: usize = 64;

/// Whether it takes less time to leave out the others of `all` columns than to multiply with them.
fn pays(used: usize, all: usize) -> bool {
    16 * used <= 15 * all
}

/// The maximum number of units where few rows of X are multiplied at a time. A larger W would be read too often.
const MAX_UNITS_OF_MARKED: usize = 128;

/// The larger absolute value; NaN if one is.
#[inline(always)]
fn raised<T: Real>(largest: T, by: T) -> T {
    T::from_magnitude(largest.magnitude().max(by.magnitude()))
}
