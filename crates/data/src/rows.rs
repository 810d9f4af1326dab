//! A matrix in memory, one sample a row.

use std::ops::Range;

use chainrule_tensor::{Real, Shape, prefetch};
use ndarray::Array2;

use crate::{Dataset, Samples};

/// A matrix in memory whose rows are samples, each with a target.
///
/// ```
/// use chainrule_data::{Rows, Samples};
/// let xor = Rows::new(ndarray::array![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], vec![0u8, 1, 1, 0])?;
/// let mut row = [0.0; 2];
/// assert_eq!((xor.read(2, &mut row), row), (1, [1.0, 0.0]));
/// # Ok::<(), chainrule_data::RowsError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Rows<T, Y> {
    samples: Array2<T>,
    targets: Vec<Y>,
    classes: Option<usize>,
    /// That of a sample.
    shape: Shape,
}

impl<T: Real, Y> Rows<T, Y> {
    /// These samples, `[count, features]`, with these targets.
    ///
    /// # Errors
    ///
    /// [`RowsError`] if the counts differ.
    pub fn new(samples: Array2<T>, targets: Vec<Y>) -> Result<Self, RowsError> {
        if samples.nrows() != targets.len() {
            return Err(RowsError { samples: samples.nrows(), targets: targets.len() });
        }
        // So that each row is contiguous.
        let samples =
            if samples.is_standard_layout() { samples } else { samples.as_standard_layout().into_owned() };
        let shape = Shape::from([samples.ncols()]);
        Ok(Self { samples, targets, classes: None, shape })
    }

    /// The same, whose targets are classes below this number.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        Self { classes: Some(classes), ..self }
    }

    /// The same, each row of which is a sample of this shape, its values one after the other: a picture `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`RowShapeError`] if a row does not have so many values.
    pub fn with_shape(self, shape: impl Into<Shape>) -> Result<Self, RowShapeError> {
        let (shape, columns) = (shape.into(), self.samples.ncols());
        if shape.size() == columns {
            Ok(Self { shape, ..self })
        } else {
            Err(RowShapeError { shape, columns })
        }
    }

    /// The samples, `[count, features]`.
    pub fn samples(&self) -> &Array2<T> {
        &self.samples
    }

    /// The targets.
    pub fn targets(&self) -> &[Y] {
        &self.targets
    }
}

/// The most bytes of a row that are prefetched: a page. CPUs foresee the rest of a long row once it is read.
const PREFETCHED: usize = 4096;

impl<T, Y> Rows<T, Y> {
    fn row(&self, index: usize) -> &[T] {
        let columns = self.samples.ncols();
        let values = self.samples.as_slice().expect("each row is contiguous, after the one before");
        &values[index * columns..(index + 1) * columns]
    }
}

impl<T: Real, Y: Clone + Send + Sync> Dataset for Rows<T, Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        self.shape
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }

    #[inline]
    fn prefetch(&self, index: usize, columns: Range<usize>) {
        let values = &self.row(index)[columns];
        prefetch(&values[..values.len().min(PREFETCHED / size_of::<T>())]);
    }
}

impl<T: Real, Y: Clone + Send + Sync> Samples<T> for Rows<T, Y> {
    #[inline]
    fn read(&self, index: usize, row: &mut [T]) -> Y {
        row.copy_from_slice(self.row(index));
        self.targets[index].clone()
    }

    #[inline]
    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], _: &mut [T]) -> Y {
        part.copy_from_slice(&self.row(index)[columns]);
        self.targets[index].clone()
    }
}

/// A shape that the rows do not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("samples of the shape {shape} have {} values, but there are {columns} in a row: give a shape of so many", shape.size())]
pub struct RowShapeError {
    shape: Shape,
    columns: usize,
}

/// The numbers of samples and targets differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {samples} samples but {targets} targets: give one target per sample")]
pub struct RowsError {
    pub(crate) samples: usize,
    pub(crate) targets: usize,
}
