//! A sparse matrix in memory, one sample a row.

use std::ops::Range;

use chainrule_tensor::{Real, Shape, SparseMatrix, prefetch};

use crate::{Dataset, RowsError, Samples};

/// A sparse matrix in memory whose rows are samples, each with a target: what [`Rows`](crate::Rows) is for samples that are mostly 0, such
/// as bags of words.
///
/// A network that begins with a dense layer reads the values that are stored and no others, in training, evaluation and
/// prediction. With `Dense::sparse` a step also updates only the weights of inputs that its batch has. Other networks, and those of
/// fewer than 8,193 parameters, are given the samples with all their zeros.
///
/// ```
/// use chainrule_data::{Samples, SparseRows};
/// use chainrule_tensor::SparseMatrix;
/// let mut words = SparseMatrix::new(10_000);
/// words.push(&[3, 77, 9_000], &[1.0, 2.0, 1.0])?;
/// words.push(&[5], &[1.0])?;
/// let data = SparseRows::new(words, vec![0u8, 1])?;
/// let mut row = vec![0.0f32; 10_000];
/// assert_eq!((data.read(0, &mut row), row[77]), (0, 2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SparseRows<T, Y> {
    samples: SparseMatrix<T>,
    targets: Vec<Y>,
    classes: Option<usize>,
    /// The number of values of the `i + 1` longest rows.
    of_longest: Vec<usize>,
}

impl<T: Real, Y> SparseRows<T, Y> {
    /// These samples with these targets.
    ///
    /// # Errors
    ///
    /// [`RowsError`] if the counts differ.
    pub fn new(samples: SparseMatrix<T>, targets: Vec<Y>) -> Result<Self, RowsError> {
        if samples.rows() != targets.len() {
            return Err(RowsError { samples: samples.rows(), targets: targets.len() });
        }
        let mut of_longest: Vec<usize> = (0..samples.rows()).map(|row| samples.row(row).0.len()).collect();
        of_longest.sort_unstable_by(|a, b| b.cmp(a));
        let mut sum = 0;
        for values in &mut of_longest {
            sum += *values;
            *values = sum;
        }
        Ok(Self { samples, targets, classes: None, of_longest })
    }

    /// The same, whose targets are classes below this number.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        Self { classes: Some(classes), ..self }
    }

    /// The samples, `[count, features]`.
    pub fn samples(&self) -> &SparseMatrix<T> {
        &self.samples
    }

    /// The targets.
    pub fn targets(&self) -> &[Y] {
        &self.targets
    }
}

impl<T: Real, Y: Clone + Send + Sync> Dataset for SparseRows<T, Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        Shape::from([self.samples.columns()])
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    fn stored_values(&self, rows: usize) -> Option<usize> {
        let longest = rows.min(self.of_longest.len()).checked_sub(1);
        Some(longest.map_or(0, |index| self.of_longest[index]))
    }

    #[inline]
    fn prefetch(&self, index: usize, _: Range<usize>) {
        let (columns, values) = self.samples.row(index);
        prefetch(columns);
        prefetch(values);
    }
}

impl<T: Real, Y: Clone + Send + Sync> Samples<T> for SparseRows<T, Y> {
    fn read(&self, index: usize, row: &mut [T]) -> Y {
        self.samples.write_row(index, row);
        self.targets[index].clone()
    }

    #[inline]
    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Y {
        x.push_row_of(&self.samples, index);
        self.targets[index].clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Subset, WithWeights};

    fn data() -> SparseRows<f32, u8> {
        let mut samples = SparseMatrix::new(6);
        samples.push(&[1], &[1.0]).unwrap();
        samples.push(&[0, 2, 5], &[2.0, 3.0, 4.0]).unwrap();
        samples.push(&[], &[]).unwrap();
        samples.push(&[3, 4], &[5.0, 6.0]).unwrap();
        SparseRows::new(samples, vec![0, 1, 2, 3]).unwrap().with_classes(4)
    }

    #[test]
    fn samples_are_read_with_their_zeros_and_without() {
        let weighted = WithWeights::new(data(), vec![1.0; 4]).unwrap();
        let part = Subset::new(&weighted, vec![3, 1]).unwrap();
        let mut x = SparseMatrix::new(6);
        for index in 0..2 {
            let mut row = [7.0; 6];
            let target = part.read(index, &mut row);
            assert_eq!(part.read_sparse(index, &mut x).target, target.target);
            assert_eq!(x.to_dense().row(index).to_vec(), row);
        }
        assert_eq!((part.shape(), part.classes()), ([6].into(), Some(4)));
    }

    #[test]
    fn no_batch_has_more_values_than_the_longest_rows() {
        let bounds = [0, 1, 2, 3, 4, 100].map(|rows| data().stored_values(rows));
        assert_eq!(bounds, [0, 3, 5, 6, 6, 6].map(Some));
        assert_eq!(Subset::first(&data(), 1).stored_values(1), Some(3));
        let empty = SparseRows::<f32, u8>::new(SparseMatrix::new(3), vec![]).unwrap();
        assert_eq!(empty.stored_values(5), Some(0));
        assert!(SparseRows::new(SparseMatrix::<f32>::new(3), vec![0]).is_err());
    }
}
