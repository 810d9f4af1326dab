//! A matrix most of whose values are 0, and its product with a dense one.

use std::fmt;
use std::ops::Range;

use ndarray::{Array2, ArrayView1, ArrayView2, ArrayViewMut2};

use crate::vector::{CHAIN, add_block};
use crate::{Real, each, prefetch};

/// A matrix most of whose values are 0, `[rows, columns]`: of each row the columns and the values that are stored.
///
/// It is the compressed sparse row format (CSR) of SciPy and PyTorch. Within a row the columns increase.
///
/// ```
/// use chainrule_tensor::SparseMatrix;
/// use ndarray::array;
/// let mut x = SparseMatrix::new(4);
/// x.push(&[1, 3], &[2.0, 5.0])?;
/// x.push(&[], &[])?;
/// assert_eq!(x.to_dense(), array![[0.0, 2.0, 0.0, 5.0], [0.0, 0.0, 0.0, 0.0]]);
/// let mut z = array![[0.0], [0.0]];
/// x.product(array![[1.0], [10.0], [100.0], [1000.0]].view(), z.view_mut());
/// assert_eq!(z, array![[5020.0], [0.0]]);
/// # Ok::<(), chainrule_tensor::SparseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SparseMatrix<T> {
    columns: usize,
    /// Where each row ends in the two lists that follow.
    ends: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<T>,
}

impl<T> Default for SparseMatrix<T> {
    fn default() -> Self {
        Self { columns: 0, ends: Vec::new(), indices: Vec::new(), values: Vec::new() }
    }
}

impl<T: Real> SparseMatrix<T> {
    /// A matrix of this many columns that has no rows yet.
    pub fn new(columns: usize) -> Self {
        Self { columns, ..Self::default() }
    }

    /// The matrix whose row `i` has the values `values[offsets[i]..offsets[i + 1]]` in the columns `indices[..]` of the same range:
    /// what SciPy calls `indptr`, `indices` and `data`.
    ///
    /// # Errors
    ///
    /// [`SparseError`] if the offsets do not begin with 0, decrease, or do not end with the number of values, or if a row cannot be
    /// [pushed](Self::push).
    pub fn from_csr(
        columns: usize,
        offsets: &[usize],
        indices: Vec<u32>,
        values: Vec<T>,
    ) -> Result<Self, SparseError> {
        if indices.len() != values.len() {
            return Err(SparseError::Lengths { row: 0, columns: indices.len(), values: values.len() });
        }
        let Some((&0, ends)) = offsets.split_first() else { return Err(SparseError::Offsets) };
        if !offsets.is_sorted() || offsets.last() != Some(&values.len()) {
            return Err(SparseError::Offsets);
        }
        let rows = offsets.windows(2).map(|pair| &indices[pair[0]..pair[1]]);
        rows.enumerate().try_for_each(|(row, indices)| check(row, indices, columns))?;
        Ok(Self { columns, ends: ends.to_vec(), indices, values })
    }

    /// The values other than 0 of a dense matrix.
    pub fn from_dense(x: ArrayView2<'_, T>) -> Self {
        let mut sparse = Self::default();
        sparse.assign(x);
        sparse
    }

    /// Appends a row with these values in these columns.
    ///
    /// # Errors
    ///
    /// [`SparseError`] if there are not as many values as columns, or the columns do not increase, or the matrix does not have one of
    /// them. The matrix is unchanged then.
    pub fn push(&mut self, indices: &[u32], values: &[T]) -> Result<(), SparseError> {
        let row = self.rows();
        if indices.len() != values.len() {
            return Err(SparseError::Lengths { row, columns: indices.len(), values: values.len() });
        }
        check(row, indices, self.columns)?;
        self.append(indices, values);
        Ok(())
    }

    /// Appends a row of another matrix.
    ///
    /// # Panics
    ///
    /// If the other matrix does not have the row, or has more columns.
    pub fn push_row_of(&mut self, other: &Self, row: usize) {
        assert!(other.columns <= self.columns, "a row of {} columns in {}", other.columns, self.columns);
        let (indices, values) = other.row(row);
        self.append(indices, values);
    }

    fn append(&mut self, indices: &[u32], values: &[T]) {
        self.indices.extend_from_slice(indices);
        self.values.extend_from_slice(values);
        self.ends.push(self.values.len());
    }

    /// Removes all rows, and gives the matrix this many columns. It keeps its memory.
    pub fn clear(&mut self, columns: usize) {
        self.columns = columns;
        self.ends.clear();
        self.indices.clear();
        self.values.clear();
    }

    /// Reserves memory for this many more rows, with this many values in all.
    pub fn reserve(&mut self, rows: usize, values: usize) {
        self.ends.reserve(rows);
        self.indices.reserve(values);
        self.values.reserve(values);
    }

    /// Replaces all by the values other than 0 of a dense matrix.
    ///
    /// # Panics
    ///
    /// If it has more than 2³² columns.
    pub fn assign(&mut self, x: ArrayView2<'_, T>) {
        self.clear(x.ncols());
        x.rows().into_iter().for_each(|row| self.append_dense(row));
    }

    /// Appends the values other than 0 of this row.
    ///
    /// # Panics
    ///
    /// If it has not as many values as there are columns.
    pub fn push_dense(&mut self, row: &[T]) {
        assert_eq!(row.len(), self.columns, "a whole row");
        self.append_dense(row.into());
    }

    fn append_dense(&mut self, row: ArrayView1<'_, T>) {
        assert!(row.len() as u64 <= 1 << 32, "at most 2³² columns");
        for (index, &value) in row.iter().enumerate() {
            if value != T::zero() {
                self.indices.push(index as u32);
                self.values.push(value);
            }
        }
        self.ends.push(self.values.len());
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.ends.len()
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values that are stored, row after row.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// The columns of a row whose values are stored, and these.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> (&[u32], &[T]) {
        let Range { start, end } = self.range(row);
        (&self.indices[start..end], &self.values[start..end])
    }

    fn range(&self, row: usize) -> Range<usize> {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        start..self.ends[row]
    }

    /// Writes a row with all its zeros.
    ///
    /// # Panics
    ///
    /// If there is no such row, or `dense` has not as many values as there are columns.
    pub fn write_row(&self, row: usize, dense: &mut [T]) {
        assert_eq!(dense.len(), self.columns, "a whole row");
        dense.fill(T::zero());
        let (indices, values) = self.row(row);
        indices.iter().zip(values).for_each(|(&index, &value)| dense[index as usize] = value);
    }

    /// The matrix with all its zeros.
    pub fn to_dense(&self) -> Array2<T> {
        let mut dense = Array2::zeros((self.rows(), self.columns));
        for (row, mut to) in dense.rows_mut().into_iter().enumerate() {
            self.write_row(row, to.as_slice_mut().expect("the rows of a new matrix are contiguous"));
        }
        dense
    }

    /// `z = X W`, where X is this matrix, `[rows, columns]`, and W has the shape `[columns, units]`. It takes as long as the values
    /// that are stored, however many columns there are.
    ///
    /// The terms of a value are added in the order of the columns, with a rounding of the product and one of the sum, in blocks if
    /// there are many; so the bits are the same on every CPU. A value that is not stored adds nothing, also where W is infinite or
    /// NaN.
    ///
    /// # Panics
    ///
    /// If the shapes do not fit, or W is not contiguous, row after row.
    pub fn product(&self, w: ArrayView2<'_, T>, mut z: ArrayViewMut2<'_, T>) {
        let units = w.ncols();
        assert_eq!((self.rows(), self.columns, units), (z.nrows(), w.nrows(), z.ncols()), "Z = X W");
        let w = Rows { values: w.to_slice().expect("W is contiguous, row after row"), units };
        let mut of_row = [T::zero(); COLUMNS];
        for (row, mut z) in z.rows_mut().into_iter().enumerate() {
            let (indices, values) = self.row(row);
            for start in (0..units).step_by(COLUMNS) {
                let columns = start..units.min(start + COLUMNS);
                let sum = &mut of_row[..columns.len()];
                w.sum_of(indices, values, columns.clone(), sum);
                z.iter_mut().skip(start).zip(&*sum).for_each(|(z, &sum)| *z = sum);
            }
        }
    }
}

/// How many columns of a product are computed at a time: so many that their sums stay in a core's first-level cache.
const COLUMNS: usize = 256;

/// The rows of a dense matrix.
#[derive(Clone, Copy)]
struct Rows<'a, T> {
    values: &'a [T],
    units: usize,
}

impl<'a, T: Real> Rows<'a, T> {
    #[inline]
    fn part(self, row: u32, columns: Range<usize>) -> &'a [T] {
        let start = row as usize * self.units;
        &self.values[start + columns.start..start + columns.end]
    }

    /// `sum = Σ vᵢ wᵢ` over these rows, for some columns.
    fn sum_of(self, indices: &[u32], values: &[T], columns: Range<usize>, sum: &mut [T]) {
        sum.fill(T::zero());
        if indices.len() <= CHAIN {
            return self.add(indices, values, columns, sum);
        }
        let [mut part, mut excess] = [[T::zero(); COLUMNS]; 2];
        for (indices, values) in indices.chunks(CHAIN).zip(values.chunks(CHAIN)) {
            let part = &mut part[..sum.len()];
            part.fill(T::zero());
            self.add(indices, values, columns.clone(), part);
            add_block(part, sum, &mut excess);
        }
    }

    /// `sum += Σ vᵢ wᵢ`, one term after the other; four in one pass over `sum`.
    fn add(self, indices: &[u32], values: &[T], columns: Range<usize>, sum: &mut [T]) {
        let (fours, rest) = indices.as_chunks::<4>();
        let (values_of_fours, values) = values.as_chunks::<4>();
        for (position, (&rows, &[a, b, c, d])) in fours.iter().zip(values_of_fours).enumerate() {
            if let Some(next) = fours.get(position + 1) {
                next.iter().for_each(|&row| prefetch(self.part(row, columns.clone())));
            }
            let [p, q, r, s] = rows.map(|row| self.part(row, columns.clone()));
            each!(sum = |p, q, r, s| sum + a * p + b * q + c * r + d * s);
        }
        for (&row, &value) in rest.iter().zip(values) {
            let w = self.part(row, columns.clone());
            each!(sum = |w| sum + value * w);
        }
    }
}

/// Checks the columns of a row.
fn check(row: usize, indices: &[u32], columns: usize) -> Result<(), SparseError> {
    if let Some(pair) = indices.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(SparseError::Order { row, columns: [pair[0], pair[1]] });
    }
    match indices.last() {
        Some(&column) if column as usize >= columns => Err(SparseError::Column { row, column, columns }),
        _ => Ok(()),
    }
}

/// Values that are no rows of a [`SparseMatrix`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SparseError {
    /// There are not as many values as columns.
    Lengths {
        /// The row.
        row: usize,
        /// The number of columns that were given.
        columns: usize,
        /// The number of values.
        values: usize,
    },
    /// The columns of a row do not increase.
    Order {
        /// The row.
        row: usize,
        /// Two columns, one after the other.
        columns: [u32; 2],
    },
    /// The matrix does not have the column.
    Column {
        /// The row.
        row: usize,
        /// The column.
        column: u32,
        /// The number of columns of the matrix.
        columns: usize,
    },
    /// The offsets of rows are not those of the values.
    Offsets,
}

impl fmt::Display for SparseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lengths { row, columns, values } => {
                write!(f, "row {row} has {columns} columns but {values} values: give one value for each column")
            }
            Self::Order { row, columns: [first, second] } => write!(
                f,
                "in row {row}, column {second} comes after column {first}, but columns have to increase: sort them, and add up the values of a column that is given twice"
            ),
            Self::Column { row, column, columns } => write!(
                f,
                "row {row} has a value in column {column}, but there are {columns} columns, from 0: give the matrix more of them"
            ),
            Self::Offsets => f.write_str(
                "the offsets of rows have to begin with 0, never decrease, and end with the number of values, as SciPy's `indptr`",
            ),
        }
    }
}

impl std::error::Error for SparseError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Seed;
    use ndarray::{Axis, array};

    /// Rows with these numbers of values, in 500 columns.
    fn random(counts: &[usize]) -> SparseMatrix<f32> {
        let mut rng = Seed(3).rng();
        let mut x = SparseMatrix::new(500);
        for &count in counts {
            let mut columns: Vec<u32> = (0..500).collect();
            rng.shuffle(&mut columns);
            let mut columns = columns[..count].to_vec();
            columns.sort_unstable();
            let values: Vec<f32> = columns.iter().map(|_| rng.normal() as f32).collect();
            x.push(&columns, &values).unwrap();
        }
        x
    }

    #[test]
    fn products_are_those_of_the_dense_form() {
        let mut rng = Seed(4).rng();
        let x = random(&[0, 1, 3, 4, 31, 32, 33, 100, 500]);
        for units in [1, 5, 64, 255, 256, 257, 600] {
            let w = Array2::from_shape_simple_fn((500, units), || rng.normal() as f32);
            let mut z = Array2::from_elem((x.rows(), units), f32::NAN);
            x.product(w.view(), z.view_mut());
            let [x, w] = [x.to_dense(), w].map(|matrix| matrix.mapv(f64::from));
            let (right, sizes) = (x.dot(&w), x.mapv(f64::abs).dot(&w.mapv(f64::abs)));
            for ((found, right), size) in z.iter().zip(&right).zip(&sizes) {
                assert!((f64::from(*found) - right).abs() <= 40.0 * f64::from(f32::EPSILON) * size);
            }
            // Also into every second column of something wider.
            let mut wide = Array2::from_elem((z.nrows(), 2 * units), 7.0f32);
            let sparse = random(&[0, 1, 3, 4, 31, 32, 33, 100, 500]);
            let (mut to, _) = wide.view_mut().split_at(Axis(1), units);
            sparse.product(w.mapv(|w| w as f32).view(), to.view_mut());
            assert_eq!(to, z);
            assert!(wide.column(units).iter().all(|&other| other == 7.0));
        }
    }

    #[test]
    fn dense_and_back() {
        let x = random(&[7, 0, 500]);
        let dense = x.to_dense();
        assert_eq!(SparseMatrix::from_dense(dense.view()), x);
        let mut part = SparseMatrix::new(500);
        part.push_row_of(&x, 2);
        assert_eq!(part.to_dense().row(0), dense.row(2));
        part.clear(1);
        assert_eq!((part.rows(), part.columns(), part.values().len()), (0, 1, 0));
        let csr = SparseMatrix::from_csr(3, &[0, 1, 1, 3], vec![2, 0, 1], vec![1.0, 2.0, 3.0]).unwrap();
        assert_eq!(csr.to_dense(), array![[0.0, 0.0, 1.0], [0.0; 3], [2.0, 3.0, 0.0]]);
    }

    #[test]
    fn errors() {
        let mut x = SparseMatrix::<f32>::new(3);
        x.push(&[0, 2], &[1.0, 1.0]).unwrap();
        let order = SparseError::Order { row: 1, columns: [1, 1] };
        assert_eq!(x.push(&[1, 1], &[1.0, 1.0]), Err(order));
        assert_eq!(x.push(&[3], &[1.0]), Err(SparseError::Column { row: 1, column: 3, columns: 3 }));
        assert_eq!(x.push(&[1], &[]), Err(SparseError::Lengths { row: 1, columns: 1, values: 0 }));
        assert_eq!(x.rows(), 1);
        let csr = |offsets: &[usize], indices: &[u32]| {
            SparseMatrix::from_csr(3, offsets, indices.to_vec(), vec![1.0])
        };
        for offsets in [&[][..], &[0], &[1, 1], &[0, 2], &[0, 1, 0, 1]] {
            assert_eq!(csr(offsets, &[0]), Err(SparseError::Offsets), "{offsets:?}");
        }
        assert_eq!(csr(&[0, 1], &[4]), Err(SparseError::Column { row: 0, column: 4, columns: 3 }));
        assert_eq!(csr(&[0, 1], &[]), Err(SparseError::Lengths { row: 0, columns: 0, values: 1 }));
    }
}
