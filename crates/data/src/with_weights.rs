//! A data set whose samples have weights.

use std::ops::Range;

use chainrule_tensor::{Real, Shape, SparseMatrix, Weighted};

use crate::{Dataset, Samples};

/// Another data set with a weight for each sample: how much it counts in a loss. Its targets are [`Weighted`].
///
/// ```
/// use chainrule_data::{Dataset, Samples, WithWeights, digits};
/// use chainrule_tensor::Seed;
/// let data = WithWeights::new(digits(3, Seed(1)), vec![1.0, 0.5, 0.0])?;
/// let target = Samples::<f32>::read(&data, 1, &mut [0.0; 28 * 28]);
/// assert_eq!(target.weight, 0.5);
/// # Ok::<(), chainrule_data::WeightsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct WithWeights<D> {
    data: D,
    /// One for each sample.
    weights: Vec<f32>,
}

impl<D: Dataset> WithWeights<D> {
    /// A data set with one weight for each sample.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if there is another number of weights, or one of them is negative, infinite or NaN.
    pub fn new(data: D, weights: Vec<f32>) -> Result<Self, WeightsError> {
        WeightsError::check(data.len(), &weights)?;
        Ok(Self { data, weights })
    }
}

impl<D: Dataset> Dataset for WithWeights<D> {
    type Target = Weighted<D::Target>;

    fn len(&self) -> usize {
        self.weights.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        self.data.classes()
    }

    fn stored_values(&self, rows: usize) -> Option<usize> {
        self.data.stored_values(rows)
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.data.prefetch(index, columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.data.enter_epoch(epoch);
    }

    fn announce(&self, order: &[u32], batch: usize) {
        self.data.announce(order, batch);
    }

    fn failure(&self) -> Option<String> {
        self.data.failure()
    }
}

impl<T: Real, D: Samples<T>> Samples<T> for WithWeights<D> {
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        Weighted { target: self.data.read(index, row), weight: self.weights[index] }
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], row: &mut [T]) -> Self::Target {
        Weighted { target: self.data.read_part(index, columns, part, row), weight: self.weights[index] }
    }

    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Self::Target {
        Weighted { target: self.data.read_sparse(index, x), weight: self.weights[index] }
    }
}

/// Weights that a data set cannot have.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Their number is not that of the samples.
    #[error("there are {weights} weights for {samples} samples: give one for each")]
    Number {
        /// The number of samples.
        samples: usize,
        /// The number of weights.
        weights: usize,
    },
    /// None is above 0, or there are more samples than can be drawn from.
    #[error(
        "of {samples} samples none can be drawn: give 1 to 4,294,967,295 samples, and one of them at least a weight above 0"
    )]
    NoChance {
        /// The number of samples.
        samples: usize,
    },
    /// One is negative, infinite or NaN.
    #[error(
        "the weight of sample {sample} is {weight}, but a weight is a finite number of at least 0: correct it, or give 0 to a sample that should not count"
    )]
    Weight {
        /// The index of the sample.
        sample: usize,
        /// Its weight.
        weight: f32,
    },
}

impl WeightsError {
    /// Whether so many samples can have these weights.
    pub(crate) fn check(samples: usize, weights: &[f32]) -> Result<(), Self> {
        if weights.len() != samples {
            return Err(Self::Number { samples, weights: weights.len() });
        }
        let wrong = |weight: &f32| !(*weight >= 0.0 && weight.is_finite());
        match weights.iter().position(wrong) {
            Some(sample) => Err(Self::Weight { sample, weight: weights[sample] }),
            None => Ok(()),
        }
    }
}
