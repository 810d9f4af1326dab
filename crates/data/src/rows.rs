//! A matrix in memory, one sample a row.

use chainrule_tensor::{Real, Shape};
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
        Ok(Self { samples, targets, classes: None })
    }

    /// The same, whose targets are classes below this number.
    #[must_use]
    pub fn with_classes(self, classes: usize) -> Self {
        Self { classes: Some(classes), ..self }
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

impl<T: Real, Y: Clone + Send + Sync> Dataset for Rows<T, Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        Shape::from([self.samples.ncols()])
    }

    fn classes(&self) -> Option<usize> {
        self.classes
    }
}

impl<T: Real, Y: Clone + Send + Sync> Samples<T> for Rows<T, Y> {
    fn read(&self, index: usize, row: &mut [T]) -> Y {
        for (value, &sample) in row.iter_mut().zip(self.samples.row(index)) {
            *value = sample;
        }
        self.targets[index].clone()
    }
}

/// The numbers of samples and targets differ.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {samples} samples but {targets} targets: give one target per sample")]
pub struct RowsError {
    samples: usize,
    targets: usize,
}
