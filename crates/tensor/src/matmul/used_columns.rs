//! Products of a matrix some of whose columns are zeros: those of a batch of samples, as the pixels at the edge of an image.
//!
//! What such a column is multiplied with adds nothing to a sum, so a product may leave it out. The terms that are left stay in the
//! chains in which they would be otherwise, so the result has the same bits: a sum begins at 0, and to add 0 to a number changes nothing.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, Axis, Slice};

use super::portable::choice;
use super::split_depth::LONG;
use super::{gemm, gemm_sum};
use crate::real::Real;
use crate::simd::dispatch::{Loop, run};
use crate::simd::operands::{Indices, Used};
use crate::vector;

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
#[derive(Clone, Debug)]
pub struct UsedColumns<T: Real> {
    /// The largest absolute value of each column.
    largest: Vec<T>,
    /// The same of the rows that were looked at together last.
    largest_of_rows: Vec<T>,
    /// The columns that each [`ROWS`](Self::ROWS) rows use, if they are listed: each list at its place, with room for all columns, and
    /// where each ends.
    lists: Vec<u32>,
    ends: Vec<usize>,
    /// The indices of the columns, in increasing order, and after them numbers without a meaning.
    indices: Vec<u32>,
    len: usize,
    /// Whether a product may use the lists.
    lists_rows: bool,
}

impl<T: Real> Default for UsedColumns<T> {
    fn default() -> Self {
        Self {
            largest: Vec::new(),
            largest_of_rows: Vec::new(),
            lists: Vec::new(),
            ends: Vec::new(),
            indices: Vec::new(),
            len: 0,
            lists_rows: false,
        }
    }
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
        self.look(values);
        self.end()
    }

    /// Begins to look at a matrix of so many columns, some rows at a time: as [`find`](Self::find), while the rows are still in the cache.
    ///
    /// What was found before is forgotten.
    pub fn begin(&mut self, columns: usize, units: usize) {
        assert!(u32::try_from(columns).is_ok(), "{columns} columns; at most 2³² - 1");
        self.largest.clear();
        self.largest.resize(columns, T::zero());
        self.ends.clear();
        self.lists_rows =
            are_few_weights(units, columns) && columns <= LONG && T::has_masked_products(choice());
    }

    /// Looks at whole rows: a multiple of [`ROWS`](Self::ROWS), or the last ones.
    pub fn look(&mut self, rows: &[T]) {
        let Self { largest, largest_of_rows, lists, ends, lists_rows, .. } = self;
        let columns = largest.len();
        if !*lists_rows {
            return run(Magnitudes { values: rows, columns, largest });
        }
        for rows in rows.chunks(Self::ROWS * columns.max(1)) {
            largest_of_rows.clear();
            largest_of_rows.resize(columns, T::zero());
            run(Magnitudes { values: rows, columns, largest: largest_of_rows });
            let start = ends.len() * columns;
            if lists.len() < start + columns {
                lists.resize(start + columns, 0);
            }
            ends.push(start + list_nonzeros(largest_of_rows, &mut lists[start..]));
            run(Raise { largest, by: largest_of_rows });
        }
    }

    /// Finds the columns that are used in all rows that were looked at. Returns the largest absolute value, as [`find`](Self::find) does.
    pub fn end(&mut self) -> T {
        let Self { largest, indices, len, .. } = self;
        if indices.len() < largest.len() {
            indices.resize(largest.len(), 0);
        }
        *len = list_nonzeros(largest, indices);
        vector::largest(largest)
    }

    /// Replaces them by the columns that any of these matrices uses.
    ///
    /// # Panics
    ///
    /// If the matrices have different numbers of columns.
    pub fn join<'a>(&mut self, all: impl IntoIterator<Item = &'a Self>) {
        self.begin(0, 0);
        for (index, one) in all.into_iter().enumerate() {
            if index == 0 {
                self.begin(one.largest.len(), 0);
            }
            assert_eq!(self.largest.len(), one.largest.len(), "matrices with as many columns");
            run(Raise { largest: &mut self.largest, by: &one.largest });
        }
        self.end();
    }

    /// Whether a matrix with this row can have so many columns of zeros that it pays to look for them.
    pub fn may_be_fewer(row: &[T]) -> bool {
        let zeros: u32 = run(Zeros(row));
        pays(row.len() - zeros as usize, row.len())
    }

    /// Whether the columns are so few that products take less time than with all.
    pub fn are_fewer(&self) -> bool {
        pays(self.len, self.largest.len())
    }

    /// The number of columns of the matrix.
    pub fn columns(&self) -> usize {
        self.largest.len()
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
        assert_eq!(x.ncols(), self.largest.len(), "the columns of X were looked at");
        let indices = self.indices();
        let fits = w.nrows() == x.ncols() && z.dim() == (x.nrows(), w.ncols()) && !z.is_empty();
        if fits && x.ncols() <= LONG && self.are_fewer() {
            if self.multiply_by_rows(x, w, z.view_mut()) {
                return;
            }
            let used = Used::Columns(Indices::new(indices, 0..x.ncols()));
            if T::product(choice(), T::one(), &[(x, w)], used, T::zero(), &mut z) {
                return;
            }
        }
        gemm(T::one(), x, w, T::zero(), z);
    }

    /// The product of [`ROWS`](Self::ROWS) rows at a time, each with the columns that these use, which are fewer. Returns `false` if nothing
    /// is done: where the columns are not listed so, or where a product of all rows would not be computed as one of few.
    fn multiply_by_rows(&self, x: ArrayView2<'_, T>, w: ArrayView2<'_, T>, z: ArrayViewMut2<'_, T>) -> bool {
        let (rows, columns) = x.dim();
        let has_lists = self.ends.len() * Self::ROWS == rows && rows <= columns;
        let units = w.ncols();
        // What the kernels for few rows take of all rows, too: else the terms would be in other chains.
        let suits = are_few_weights(units, columns) && (units == 1 || w.strides()[1] == 1);
        if !has_lists || !suits || !T::has_masked_products(choice()) {
            return false;
        }
        let mut z = z;
        for (group, &end) in self.ends.iter().enumerate() {
            let first = group * Self::ROWS;
            let rows = Slice::from(first..first + Self::ROWS);
            let x = x.slice_axis(Axis(0), rows);
            let mut z = z.slice_axis_mut(Axis(0), rows);
            let used = Used::Columns(Indices::new(&self.lists[group * columns..end], 0..columns));
            if !T::product(choice(), T::one(), &[(x, w)], used, T::zero(), &mut z) {
                return false;
            }
        }
        true
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
        assert!(columns.end <= self.largest.len() && columns.len() == dw.nrows(), "columns of X");
        let fits = products
            .iter()
            .all(|(x, dz)| x.ncols() == dz.nrows() && dw.dim() == (x.nrows(), dz.ncols()) && x.ncols() > 0);
        let from = |column: usize| self.indices().partition_point(|&index| (index as usize) < column);
        let indices = &self.indices()[from(columns.start)..from(columns.end)];
        if fits && !dw.is_empty() && !products.is_empty() && pays(indices.len(), columns.len()) {
            let used = Used::Rows(Indices::new(indices, columns));
            if T::product(choice(), T::one(), products, used, beta, &mut dw) {
                return;
            }
        }
        gemm_sum(products, beta, dw);
    }
}

/// Whether it takes less time to leave out the others of `all` columns than to multiply with them.
fn pays(used: usize, all: usize) -> bool {
    16 * used <= 15 * all
}

/// The maximum number of units where few rows of X are multiplied at a time. A larger W would be read too often.
const MAX_UNITS_BY_ROWS: usize = 128;

/// The maximum number of values of W that the kernels for few rows take.
const MAX_WEIGHTS_BY_ROWS: usize = 1 << 19;

/// Whether few rows of X at a time may be multiplied with a W of this size.
fn are_few_weights(units: usize, columns: usize) -> bool {
    units <= MAX_UNITS_BY_ROWS && units.saturating_mul(columns) <= MAX_WEIGHTS_BY_ROWS
}

/// Writes the indices of the values that are not 0, in increasing order, and returns how many they are.
fn list_nonzeros<T: Real>(values: &[T], indices: &mut [u32]) -> usize {
    T::list_nonzeros(values, indices).unwrap_or_else(|| run(Listing { values, indices }))
}

struct Listing<'a, T> {
    values: &'a [T],
    /// One for each value at least.
    indices: &'a mut [u32],
}

impl<T: Real> Loop for Listing<'_, T> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Self { values, indices } = self;
        let mut len = 0;
        for (index, value) in values.iter().enumerate() {
            indices[len] = index as u32;
            len += usize::from(value.magnitude() > T::Magnitude::default());
        }
        len
    }
}

/// Raises absolute values to others, if these are larger or NaN.
struct Raise<'a, T> {
    largest: &'a mut [T],
    by: &'a [T],
}

impl<T: Real> Loop for Raise<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (largest, &by) in self.largest.iter_mut().zip(self.by) {
            *largest = raised(*largest, by);
        }
    }
}

/// The larger absolute value; NaN if one is.
#[inline(always)]
fn raised<T: Real>(largest: T, by: T) -> T {
    T::from_magnitude(largest.magnitude().max(by.magnitude()))
}

/// The number of values that are 0.
struct Zeros<'a, T>(&'a [T]);

impl<T: Real> Loop for Zeros<'_, T> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        self.0.iter().map(|value| u32::from(value.magnitude() == T::Magnitude::default())).sum()
    }
}

/// How many rows of a matrix are looked at together: the maxima of the columns are read and written once for them.
const ROWS: usize = UsedColumns::<f32>::ROWS;

/// How many columns are looked at together.
const COLUMNS: usize = 64;

/// Raises the largest absolute value of each column to that of its values.
struct Magnitudes<'a, T: Real> {
    values: &'a [T],
    columns: usize,
    largest: &'a mut [T],
}

impl<T: Real> Loop for Magnitudes<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { values, columns, largest } = self;
        for rows in values.chunks(ROWS * columns.max(1)) {
            let (blocks, rest) = largest.as_chunks_mut::<COLUMNS>();
            let first = blocks.len() * COLUMNS;
            for (index, block) in blocks.iter_mut().enumerate() {
                let mut found = *block;
                for row in rows.chunks_exact(columns) {
                    let (row, _) = row[index * COLUMNS..].as_chunks::<COLUMNS>();
                    for (found, value) in found.iter_mut().zip(&row[0]) {
                        *found = raised(*found, *value);
                    }
                }
                *block = found;
            }
            for row in rows.chunks_exact(columns.max(1)) {
                for (found, value) in rest.iter_mut().zip(&row[first..]) {
                    *found = raised(*found, *value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PortableProducts;
    use crate::seed::Seed;
    use ndarray::{Array2, s};

    fn random<T: Real>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
        let mut rng = Seed(seed).rng();
        Array2::from_shape_simple_fn((rows, columns), || T::of(rng.normal()))
    }

    /// A matrix that uses a column with this probability, in runs of columns for a negative one.
    fn samples<T: Real>(rows: usize, columns: usize, probability: f64) -> Array2<T> {
        let mut x = random(rows, columns, 1);
        let mut rng = Seed(2).rng();
        let mut is_used = false;
        for mut column in x.columns_mut() {
            if probability >= 0.0 || rng.uniform() < 0.1 {
                is_used = rng.uniform() < probability.abs();
            }
            if !is_used {
                column.fill(T::zero());
            }
        }
        x
    }

    fn find<T: Real>(x: &Array2<T>) -> UsedColumns<T> {
        let mut used = UsedColumns::default();
        used.find(x.as_slice().unwrap(), x.ncols(), 64);
        used
    }

    fn assert_same<T: Real>(found: &Array2<T>, right: &Array2<T>, what: &str) {
        for ((index, found), right) in found.indexed_iter().zip(right) {
            let same = found.is_nan() && right.is_nan()
                || found.magnitude() == right.magnitude() && found.signum() == right.signum();
            assert!(same, "{what}: {found} for {right} at {index:?}");
        }
    }

    fn for_all_choices(f: impl Fn()) {
        for portable in [false, true] {
            let _portable = PortableProducts::new(portable);
            f();
        }
    }

    fn columns_are_found<T: Real>() {
        let mut used = UsedColumns::<T>::default();
        for columns in [1, 5, 63, 64, 65, 200] {
            for rows in [0, 1, 7, 8, 9, 20] {
                let mut x = samples::<T>(rows, columns, 0.5);
                for special in [T::zero(), -T::zero(), T::infinity(), T::nan(), T::min_positive_value()] {
                    if rows > 0 {
                        x.column_mut(columns / 2).fill(T::zero());
                        x[[rows - 1, columns / 2]] = special;
                    }
                    let largest = used.find(x.as_slice().unwrap(), columns, 64);
                    let right = vector::largest(x.as_slice().unwrap());
                    assert!(largest == right || largest.is_nan() && right.is_nan(), "{largest} for {right}");
                    let is_used = |&column: &usize| x.column(column).iter().any(|&x| x != T::zero());
                    let right: Vec<u32> = (0..columns).filter(is_used).map(|column| column as u32).collect();
                    assert_eq!(used.indices(), right, "{rows} {columns} {special}");
                }
            }
        }
    }

    #[test]
    fn the_columns_that_are_not_zeros_are_found() {
        columns_are_found::<f32>();
        columns_are_found::<f64>();
    }

    #[test]
    fn columns_of_several_matrices() {
        let (a, b) = (samples::<f32>(4, 90, 0.2), samples::<f32>(9, 90, -0.3));
        let mut joint = find(&a);
        joint.join([&find(&a), &find(&b)]);
        let both = ndarray::concatenate![ndarray::Axis(0), a, b];
        assert_eq!(joint.indices(), find(&both).indices());
        joint.join([]);
        assert_eq!(joint.indices(), [0; 0]);
    }

    const SHAPES: [[usize; 3]; 7] =
        [[1, 64, 300], [3, 10, 40], [16, 64, 96], [32, 64, 400], [21, 70, 97], [40, 257, 30], [140, 24, 100]];

    /// More weights than the kernels for few rows take, and a weight that is stored by columns.
    fn large_and_transposed_weights_are_the_same<T: Real>() {
        for [rows, units, columns] in [[64, 128, 6400], [136, 16, 300], [64, 2, 4096], [8, 128, 8192]] {
            let x = samples::<T>(rows, columns, 0.5);
            let used = find(&x);
            for w in [random::<T>(columns, units, 3), random(units, columns, 3).reversed_axes()] {
                let (mut found, mut right) = (random(rows, units, 4), random(rows, units, 5));
                used.product(x.view(), w.view(), found.view_mut());
                gemm(T::one(), x.view(), w.view(), T::zero(), right.view_mut());
                assert_same(&found, &right, &format!("{rows} {units} {columns}"));
            }
        }
    }

    fn products_are_the_same<T: Real>() {
        for [rows, units, columns] in SHAPES {
            for probability in [0.0, 0.1, 0.5, -0.6, 0.97] {
                let mut x = samples::<T>(rows, columns, probability);
                let w = random::<T>(columns, units, 3);
                for special in [T::one(), T::infinity(), T::nan()] {
                    x[[rows / 2, columns / 3]] = special;
                    let used = find(&x);
                    let (mut found, mut right) = (random(rows, units, 4), random(rows, units, 5));
                    used.product(x.view(), w.view(), found.view_mut());
                    gemm(T::one(), x.view(), w.view(), T::zero(), right.view_mut());
                    let what = format!("{rows} {units} {columns} {probability} {special}");
                    assert_same(&found, &right, &what);
                }
            }
        }
    }

    #[test]
    fn a_product_has_the_bits_of_one_with_all_columns() {
        for_all_choices(products_are_the_same::<f32>);
        for_all_choices(products_are_the_same::<f64>);
        for_all_choices(large_and_transposed_weights_are_the_same::<f32>);
    }

    #[test]
    fn lists_have_room_for_all_columns_at_once() {
        let mut used = UsedColumns::<f32>::default();
        used.find(&[0.0; 24 * 100], 100, 64);
        let room = used.lists.capacity();
        used.find(&[1.0; 24 * 100], 100, 64);
        assert_eq!(used.lists.capacity(), room, "nothing is allocated for samples without zeros");
    }

    fn sums_are_the_same<T: Real>() {
        for [rows, units, columns] in SHAPES {
            for probability in [0.0, 0.1, -0.6] {
                let mut x = samples::<T>(rows, columns, probability);
                x[[rows / 2, columns / 3]] = T::infinity();
                let dz = random::<T>(rows, units, 3);
                let used = find(&x);
                for cut in [rows, rows / 3] {
                    let part = |rows: Range<usize>, range: Range<usize>| {
                        let x = x.slice(s![rows.clone(), range]).reversed_axes();
                        (x, dz.slice(s![rows, ..]))
                    };
                    for range in [0..columns, columns / 3..columns - 1] {
                        let both = [part(0..cut, range.clone()), part(cut..rows, range.clone())];
                        let products = if cut == rows { &both[..1] } else { &both[..] };
                        for beta in [T::zero(), T::one()] {
                            let mut found = random(range.len(), units, 4);
                            let mut right = found.clone();
                            used.sum_of_products(products, range.clone(), beta, found.view_mut());
                            gemm_sum(products, beta, right.view_mut());
                            let what = format!("{rows} {units} {range:?} {probability} {cut} {beta}");
                            assert_same(&found, &right, &what);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_sum_of_products_has_the_bits_of_one_with_all_rows() {
        for_all_choices(sums_are_the_same::<f32>);
        for_all_choices(sums_are_the_same::<f64>);
    }

    fn zeros_are_left_out<T: Real>() {
        let _portable = PortableProducts::new(true);
        let mut x = samples::<T>(32, 300, 0.5);
        x.column_mut(7).fill(T::zero());
        let used = find(&x);
        let (mut w, dz) = (random::<T>(300, 64, 3), random::<T>(32, 64, 4));
        // Not what is promised, but it shows whether a row is read.
        w.row_mut(7).fill(T::nan());
        let mut z = random(32, 64, 5);
        used.product(x.view(), w.view(), z.view_mut());
        assert!(z.iter().all(|z| z.is_finite()), "a row of W is not read");
        x.column_mut(7).fill(T::nan());
        let mut dw = random(300, 64, 6);
        used.sum_of_products(&[(x.t(), dz.view())], 0..300, T::zero(), dw.view_mut());
        assert!(dw.iter().all(|dw| dw.is_finite()), "a column of X is not read");
        assert!(dw.row(7).iter().all(|&dw| dw == T::zero()), "its gradient is 0");
    }

    #[test]
    fn columns_of_zeros_are_left_out() {
        zeros_are_left_out::<f32>();
        zeros_are_left_out::<f64>();
        #[cfg(target_arch = "x86_64")]
        {
            use crate::simd::level::{Level, level};
            if level() < Level::Avx512 {
                return;
            }
            // The older kernels.
            let mut x = samples::<f32>(32, 400, 0.5);
            x.column_mut(7).fill(0.0);
            let used = find(&x);
            let mut w = random(400, 64, 3);
            w.row_mut(7).fill(f32::NAN);
            let mut z = random(32, 64, 5);
            used.product(x.view(), w.view(), z.view_mut());
            assert!(z.iter().all(|z| z.is_finite()), "a row of W is not read");
        }
    }

    #[test]
    #[should_panic(expected = "the columns of X were looked at")]
    fn another_matrix() {
        let (x, w) = (random::<f32>(2, 3, 1), random(4, 2, 2));
        find(&x).product(random(2, 4, 3).view(), w.view(), random(2, 2, 4).view_mut());
    }

    #[test]
    #[should_panic(expected = "5 values in 2 columns")]
    fn an_incomplete_row() {
        UsedColumns::default().find(&[1.0f32; 5], 2, 1);
    }
}
