//! The traits that every data set implements.

use std::ops::Range;
use std::sync::Arc;

use chainrule_tensor::{Real, Seed, Shape, SparseMatrix};

use crate::split::{self, TrainTest};

/// Samples of one shape, each with a target. [`Samples`] reads them.
pub trait Dataset: Sync {
    /// A sample's target, cheap to clone: a class, an array, a shared slice. Most losses take every
    /// [`Target`](chainrule_tensor::Target).
    type Target: Clone + Send + Sync;

    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample.
    fn shape(&self) -> Shape;

    /// The number of classes, where targets are classes and their number is known.
    fn classes(&self) -> Option<usize> {
        None
    }

    /// For data sets whose samples are stored without their zeros: no `rows` different samples have more values that are stored than
    /// this. A trainer then reads them with [`Samples::read_sparse`], where a network begins with a dense layer. The default, `None`, is for
    /// samples that can be read whole only.
    fn stored_values(&self, rows: usize) -> Option<usize> {
        let _ = rows;
        None
    }

    /// A hint that these columns of the sample at `index`, below [`len`](Self::len), will be read in the next step,
    /// for data sets that have to fetch them from somewhere. A trainer calls it in the middle of a step, where denormal numbers
    /// count as 0, unless there are so few values in all that they stay in a cache.
    fn prefetch(&self, index: usize, columns: Range<usize>) {
        let _ = (index, columns);
    }

    /// An epoch begins, from 0, or goes on: for data sets whose samples differ from epoch to epoch, as those of
    /// [`Augmented`](crate::augment::Augmented) do. A trainer calls it; the default does nothing.
    fn enter_epoch(&self, epoch: u64) {
        let _ = epoch;
    }

    /// These samples will be read next, in this order, in batches of so many: for data sets that read [ahead](crate::ReadAhead). A trainer
    /// calls it after [`enter_epoch`](Self::enter_epoch), and where it measures steps, but not in a group of processes, each of which reads some of
    /// them only; the default does nothing. No sample occurs twice.
    fn announce(&self, order: &[u32], batch: usize) {
        let _ = (order, batch);
    }

    /// What kept a sample from being read, for data sets that read them from files while they train: what was read instead does not
    /// matter, but should be no numbers, which no step is taken with. A trainer asks for it after each evaluation and validation, before it
    /// leaves out a step, and at the end of a training, and returns it as an error. The default is `None`.
    fn failure(&self) -> Option<String> {
        None
    }
}

/// A data set whose samples can be read as numbers of type `T`, by index and on several threads at once.
///
/// A sample is written straight into the batch and converted on the way, so a data set of bytes stays one in
/// memory.
pub trait Samples<T: Real>: Dataset {
    /// Writes the sample at `index`, below [`len`](Dataset::len), to `row`, a slice of the size of
    /// [`shape`](Dataset::shape), and returns its target. It is called for every sample of every batch and allocates nothing.
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target;

    /// Like [`read`](Self::read), but writes only these columns of the sample's row, to `part`. `row` is scratch space for
    /// a whole row, for data sets that cannot read less.
    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], row: &mut [T]) -> Self::Target {
        let target = self.read(index, row);
        part.copy_from_slice(&row[columns]);
        target
    }

    /// Like [`read`](Self::read), but appends the values of the sample that are stored to `x` as a row. It is called where
    /// [`stored_values`](Dataset::stored_values) says how many there can be, and allocates nothing where `x` has room for them.
    ///
    /// The default reads the whole sample into memory of its own.
    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Self::Target {
        let mut row = vec![T::zero(); self.shape().size()];
        let target = self.read(index, &mut row);
        x.push_dense(&row);
        target
    }
}

/// A data set by another name: all questions go to the one that it points to.
macro_rules! points_to_samples {
    ($pointer:ty, $($bound:tt)*) => {
        impl<D: Dataset + $($bound)*> Dataset for $pointer {
            type Target = D::Target;

            fn len(&self) -> usize {
                (**self).len()
            }

            fn shape(&self) -> Shape {
                (**self).shape()
            }

            fn classes(&self) -> Option<usize> {
                (**self).classes()
            }

            fn stored_values(&self, rows: usize) -> Option<usize> {
                (**self).stored_values(rows)
            }

            fn prefetch(&self, index: usize, columns: Range<usize>) {
                (**self).prefetch(index, columns);
            }

            fn enter_epoch(&self, epoch: u64) {
                (**self).enter_epoch(epoch);
            }

            fn announce(&self, order: &[u32], batch: usize) {
                (**self).announce(order, batch);
            }

            fn failure(&self) -> Option<String> {
                (**self).failure()
            }
        }

        impl<T: Real, D: Samples<T> + $($bound)*> Samples<T> for $pointer {
            fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
                (**self).read(index, row)
            }

            fn read_part(
                &self,
                index: usize,
                columns: Range<usize>,
                part: &mut [T],
                row: &mut [T],
            ) -> Self::Target {
                (**self).read_part(index, columns, part, row)
            }

            fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Self::Target {
                (**self).read_sparse(index, x)
            }
        }
    };
}

points_to_samples!(&D, ?Sized);
points_to_samples!(Arc<D>, Send + ?Sized);

/// Some samples of another data set, in any order.
///
/// ```
/// use chainrule_data::{Dataset, Subset, digits};
/// use chainrule_tensor::Seed;
/// let data = digits(100, Seed(1));
/// let (train, validation) = Subset::split(&data, 0.2, Seed(2))?;
/// assert_eq!((train.len(), validation.len()), (80, 20));
/// # Ok::<(), chainrule_data::SplitError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Subset<D> {
    data: D,
    /// Each below the length of `data`.
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples with these indices, in this order; an index may occur several times.
    ///
    /// # Errors
    ///
    /// [`IndexError`] if the data set has no such sample.
    pub fn new(data: D, indices: Vec<usize>) -> Result<Self, IndexError> {
        let len = data.len();
        match indices.iter().find(|&&index| index >= len) {
            Some(&index) => Err(IndexError { index, len }),
            None => Ok(Self { data, indices }),
        }
    }

    /// The first `count` samples, or all if there are fewer.
    pub fn first(data: D, count: usize) -> Self {
        let indices = (0..data.len().min(count)).collect();
        Self { data, indices }
    }

    /// Two random parts, for training and validation. The second has this share of the samples, rounded to a whole number,
    /// but each part has at least one.
    ///
    /// # Errors
    ///
    /// [`SplitError`] if the share is not between 0 and 1, or if there are fewer than two samples.
    pub fn split(data: &D, share: f64, seed: Seed) -> Result<(Subset<&D>, Subset<&D>), SplitError> {
        let TrainTest { train, test } = split::random(data.len(), share, seed)?;
        Ok((Subset { data, indices: train }, Subset { data, indices: test }))
    }

    /// The indices of these samples in the whole data set.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.indices.len()
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
        self.data.prefetch(self.indices[index], columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.data.enter_epoch(epoch);
    }

    fn failure(&self) -> Option<String> {
        self.data.failure()
    }
}

impl<T: Real, D: Samples<T>> Samples<T> for Subset<D> {
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        self.data.read(self.indices[index], row)
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], row: &mut [T]) -> Self::Target {
        self.data.read_part(self.indices[index], columns, part, row)
    }

    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Self::Target {
        self.data.read_sparse(self.indices[index], x)
    }
}

/// Why a data set cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The share is not between 0 and 1.
    #[error(
        "the share {0} of the second part is not between 0 and 1: choose one such as 0.2, or use the whole data set"
    )]
    Share(f64),
    /// There are fewer than two samples.
    #[error("a data set of {0} cannot be split into two parts with a sample in each: use at least 2 samples")]
    TooFew(usize),
    /// There are fewer than two folds, or fewer samples than folds.
    #[error(
        "{samples} samples cannot be divided into {folds} folds: use from 2 folds to as many as there are samples"
    )]
    Folds {
        /// The number of folds.
        folds: usize,
        /// The number of samples.
        samples: usize,
    },
    /// A class has too few samples to be in every part.
    #[error(
        "the class of sample {example} is too rare ({samples}): each part needs one of it, so there have to be at least {needed}: join it with another class, leave it out, or use fewer parts"
    )]
    RareClass {
        /// A sample of the class.
        example: usize,
        /// The number of its samples.
        samples: usize,
        /// How many it needs.
        needed: usize,
    },
    /// There are fewer groups than parts.
    #[error(
        "there are too few groups ({groups}) for parts that share none, which takes at least {needed}: use fewer parts, or finer groups"
    )]
    Groups {
        /// The number of groups.
        groups: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A time is not a number.
    #[error("the time of sample {sample} is missing (NaN): leave the sample out")]
    Time {
        /// The sample.
        sample: usize,
    },
    /// All samples are of one time.
    #[error(
        "all samples are of one time, so none comes after the others: split at random, or give other times"
    )]
    OneTime,
    /// A label is none of the classes.
    #[error(
        "sample {sample} has the class {label}, but there are {classes} classes, from 0: give the number of classes"
    )]
    Class {
        /// The sample.
        sample: usize,
        /// Its label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },
    /// A class has no sample.
    #[error(
        "no sample has the class {class} of {classes}, so that no weight makes up for it: leave out the class, or add samples of it"
    )]
    AbsentClass {
        /// The class.
        class: usize,
        /// The number of classes.
        classes: usize,
    },
}

/// An index beyond the data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sample {index} does not exist in a data set of {len}: use indices below {len}")]
pub struct IndexError {
    index: usize,
    len: usize,
}
