//! A data set whose targets are classes of any number.

use std::marker::PhantomData;
use std::ops::Range;

use chainrule_tensor::{ClassTarget, Real, Shape, SparseMatrix, Target, TargetView};

use crate::{Dataset, Samples};

/// Another data set of classes, whose targets are [`ClassTarget`]s: for losses and metrics of a registry, for classes that are called
/// otherwise here, and for weights of classes.
///
/// The target of samples that were [mixed](crate::augment::Mixed) stays the share of each class, which counts as much as the mean of the
/// classes.
///
/// ```
/// use chainrule_data::{ClassTargets, Samples, digits};
/// use chainrule_tensor::Seed;
/// let weights: Vec<f32> = (0..10).map(|class| 1.0 + class as f32).collect();
/// let data = ClassTargets::<_, f32>::new(digits(3, Seed(1)))?.weighted(weights)?;
/// let target = data.read(1, &mut [0.0; 28 * 28]);
/// assert_eq!(target.class_weight(), 1.0 + target.class().unwrap() as f32);
/// # Ok::<(), chainrule_data::ClassTargetsError>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClassTargets<D, T> {
    data: D,
    /// What each class of the data is here; empty if it is the same.
    renamed: Vec<u32>,
    /// The weight of each class here; empty if all are 1.
    weights: Vec<f32>,
    count: usize,
    numbers: PhantomData<fn() -> T>,
}

impl<D: Dataset, T> ClassTargets<D, T> {
    /// The same samples.
    ///
    /// # Errors
    ///
    /// [`ClassTargetsError::NoClasses`] if the data set does not know the number of its classes.
    pub fn new(data: D) -> Result<Self, ClassTargetsError> {
        let count = data.classes().ok_or(ClassTargetsError::NoClasses)?;
        Ok(Self::with_classes(data, count))
    }

    /// The same samples, of a data set that does not know that there are `count` classes.
    pub fn with_classes(data: D, count: usize) -> Self {
        Self { data, renamed: Vec::new(), weights: Vec::new(), count, numbers: PhantomData }
    }

    /// Each class of the data is this one of `count` classes here.
    ///
    /// # Errors
    ///
    /// [`ClassTargetsError::Renamed`] if there is not a class below `count` for each class of the data.
    pub fn renamed(self, classes: Vec<u32>, count: usize) -> Result<Self, ClassTargetsError> {
        if classes.len() != self.count || classes.iter().any(|&class| class as usize >= count) {
            return Err(ClassTargetsError::Renamed { classes: self.count, found: classes.len(), count });
        }
        Ok(Self { renamed: classes, count, ..self })
    }

    /// How much each class counts: see [`ClassTarget::class_weight`].
    ///
    /// # Errors
    ///
    /// [`ClassTargetsError::Weights`] if there is not one finite weight of at least 0 for each class, or all are 0.
    pub fn weighted(self, weights: Vec<f32>) -> Result<Self, ClassTargetsError> {
        let usable = |weight: &f32| *weight >= 0.0 && weight.is_finite();
        let counts = weights.iter().any(|&weight| weight > 0.0);
        if weights.len() != self.count || !counts || !weights.iter().all(usable) {
            return Err(ClassTargetsError::Weights { classes: self.count, found: weights.len() });
        }
        Ok(Self { weights, ..self })
    }

    fn weight(&self, class: usize) -> f32 {
        self.weights.get(class).copied().unwrap_or(1.0)
    }
}

impl<D: Dataset<Target: Target<T>>, T: Real> ClassTargets<D, T> {
    fn of(&self, target: &D::Target) -> ClassTarget<T> {
        let own = |class: usize| self.renamed.get(class).map_or(class, |&class| class as usize);
        let (target, weight) = match target.view() {
            TargetView::Class(class) => {
                let class = own(class);
                (ClassTarget::from(class as u32), self.weight(class))
            }
            TargetView::Values(values) => {
                let mut shares = vec![T::zero(); self.count];
                let known = values.iter().enumerate();
                let known = known.map(|(class, &share)| (own(class), share));
                known
                    .filter(|&(class, _)| class < self.count)
                    .for_each(|(class, share)| shares[class] += share);
                let weight = shares.iter().enumerate();
                let weight =
                    weight.map(|(class, &share)| share.as_f64() * f64::from(self.weight(class))).sum::<f64>();
                let weight = if self.weights.is_empty() { 1.0 } else { weight as f32 };
                (ClassTarget::of_shares(shares), weight)
            }
        };
        target.counting(weight)
    }
}

impl<D: Dataset, T: Real> Dataset for ClassTargets<D, T> {
    type Target = ClassTarget<T>;

    fn len(&self) -> usize {
        self.data.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        Some(self.count)
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

impl<T: Real, D: Samples<T, Target: Target<T>>> Samples<T> for ClassTargets<D, T> {
    fn read(&self, index: usize, row: &mut [T]) -> ClassTarget<T> {
        self.of(&self.data.read(index, row))
    }

    fn read_part(
        &self,
        index: usize,
        columns: Range<usize>,
        part: &mut [T],
        row: &mut [T],
    ) -> ClassTarget<T> {
        self.of(&self.data.read_part(index, columns, part, row))
    }

    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> ClassTarget<T> {
        self.of(&self.data.read_sparse(index, x))
    }
}

/// Classes that a data set cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClassTargetsError {
    /// The data set does not know how many classes it has.
    #[error(
        "the data set does not know how many classes it has: give their number with `ClassTargets::with_classes`"
    )]
    NoClasses,
    /// There is not a class for each.
    #[error("the data have {classes} classes: give one below {count} for each of them, instead of {found}")]
    Renamed {
        /// The number of classes of the data.
        classes: usize,
        /// The number that was given.
        found: usize,
        /// The number of classes here.
        count: usize,
    },
    /// There is not a weight for each class.
    #[error(
        "there are {found} weights for {classes} classes: give a finite number of at least 0 for each, and not 0 for all"
    )]
    Weights {
        /// The number of classes.
        classes: usize,
        /// The number of weights.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rows;
    use ndarray::Array2;

    #[test]
    fn classes_of_any_number_have_names_and_weights_of_their_own() {
        let rows = Rows::new(Array2::<f32>::zeros((3, 2)), vec![0u32, 2, 1]).unwrap();
        assert_eq!(ClassTargets::<_, f32>::new(&rows).unwrap_err(), ClassTargetsError::NoClasses);
        let data = ClassTargets::<_, f32>::with_classes(&rows, 3).renamed(vec![700, 5, 0], 1000).unwrap();
        let mut weights = vec![1.0; 1000];
        weights[700] = 0.25;
        let data = data.weighted(weights).unwrap();
        let read = |index| data.read(index, &mut [0.0; 2]);
        let found: Vec<_> = (0..3).map(|index| (read(index).class(), read(index).class_weight())).collect();
        assert_eq!(found, [(Some(700), 0.25), (Some(0), 1.0), (Some(5), 1.0)]);
        assert_eq!(Dataset::classes(&data), Some(1000));
    }

    #[test]
    fn shares_keep_their_classes() {
        let rows =
            Rows::new(Array2::<f32>::zeros((2, 1)), vec![vec![1.0f32, 0.0], vec![0.25, 0.75]]).unwrap();
        let data = ClassTargets::<_, f32>::with_classes(&rows, 2).weighted(vec![1.0, 3.0]).unwrap();
        let target = data.read(1, &mut [0.0]);
        assert_eq!((target.view(), target.class_weight()), (TargetView::Values(&[0.25, 0.75]), 2.5));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let rows = Rows::new(Array2::<f32>::zeros((1, 1)), vec![0u8]).unwrap();
        let data = || ClassTargets::<_, f32>::with_classes(&rows, 2);
        for weights in [vec![1.0], vec![1.0, -1.0], vec![f32::NAN, 1.0], vec![0.0, 0.0]] {
            assert!(matches!(data().weighted(weights), Err(ClassTargetsError::Weights { classes: 2, .. })));
        }
        assert!(data().renamed(vec![0], 2).is_err() && data().renamed(vec![0, 2], 2).is_err());
    }
}
