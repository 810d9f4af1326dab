//! Parts of a data set: for training and test, and folds for cross-validation.
//!
//! They are indices, so they are for any data set, and for tables before one is made of them. Of what a share above 0 is taken, each
//! part has at least one sample.
//!
//! ```
//! use chainrule_data::{Dataset, digits, split};
//! use chainrule_tensor::Seed;
//! let data = digits(100, Seed(1));
//! let digits = split::targets::<f32, _>(&data);
//! let (train, test) = split::stratified(&digits, 0.2, Seed(2))?.subsets(&data)?;
//! assert_eq!(train.len() + test.len(), 100);
//! let folds = split::stratified_k_fold(&digits, 5, Some(Seed(3)))?;
//! assert_eq!(folds.len(), 5);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod folds;
mod parts;
mod weights;

use std::collections::HashMap;
use std::hash::Hash;

use chainrule_tensor::Real;

pub use folds::{group_k_fold, k_fold, stratified_k_fold};
pub use parts::{by_time, grouped, random, stratified};
pub use weights::{balanced_class_weights, balanced_weights};

use crate::{Dataset, IndexError, Samples, SplitError, Subset};

/// The indices of two parts of a data set. No index is in both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainTest {
    /// The samples to train on.
    pub train: Vec<usize>,
    /// The samples to test on.
    pub test: Vec<usize>,
}

impl TrainTest {
    /// The two parts of a data set.
    ///
    /// # Errors
    ///
    /// [`IndexError`] if it is smaller than the one that the indices are of.
    pub fn subsets<'d, D: Dataset>(&self, data: &'d D) -> Result<(Subset<&'d D>, Subset<&'d D>), IndexError> {
        Ok((Subset::new(data, self.train.clone())?, Subset::new(data, self.test.clone())?))
    }

    /// The parts where `fold` says for each sample whether it is tested on.
    fn of(is_test: impl Fn(usize) -> bool, samples: usize) -> Self {
        let (test, train) = (0..samples).partition(|&sample| is_test(sample));
        Self { train, test }
    }
}

/// The targets of all samples.
pub fn targets<T: Real, D: Samples<T>>(data: &D) -> Vec<D::Target> {
    let mut row = vec![T::of(0.0); data.shape().size()];
    (0..data.len()).map(|index| data.read(index, &mut row)).collect()
}

/// Labels as numbers, in the order in which they first occur.
struct Labels {
    of_samples: Vec<usize>,
    /// How many samples have each.
    counts: Vec<usize>,
}

impl Labels {
    fn new<L: Eq + Hash>(labels: &[L]) -> Self {
        let mut known: HashMap<&L, usize> = HashMap::new();
        let mut counts = Vec::new();
        let mut number = |label| {
            let next = known.len();
            let number = *known.entry(label).or_insert(next);
            counts.resize(counts.len().max(number + 1), 0);
            counts[number] += 1;
            number
        };
        let of_samples = labels.iter().map(&mut number).collect();
        Self { of_samples, counts }
    }

    /// For each label the samples that have it.
    fn samples(&self) -> Vec<Vec<usize>> {
        let mut samples: Vec<Vec<usize>> = vec![Vec::new(); self.counts.len()];
        for (sample, &label) in self.of_samples.iter().enumerate() {
            samples[label].push(sample);
        }
        samples
    }

    /// That each label has this many samples.
    fn check(&self, needed: usize) -> Result<(), SplitError> {
        match self.counts.iter().position(|&count| count < needed) {
            None => Ok(()),
            Some(label) => {
                let example = self.of_samples.iter().position(|&other| other == label).unwrap_or_default();
                Err(SplitError::RareClass { example, samples: self.counts[label], needed })
            }
        }
    }
}
