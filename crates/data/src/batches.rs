//! Batches: which samples each step takes.

use chainrule_tensor::Seed;

/// The indices of a data set, shuffled for each epoch and divided into batches.
///
/// Only indices are shuffled, not samples. The order depends on nothing but the seed and the number of the epoch, so a
/// resumed training gets the same batches.
///
/// ```
/// use chainrule_data::Batches;
/// use chainrule_tensor::Seed;
/// let mut batches = Batches::new(10, 4, Some(Seed(1)))?;
/// batches.epoch(0);
/// assert_eq!(batches.iter().map(<[u32]>::len).collect::<Vec<_>>(), [4, 4, 2]);
/// # Ok::<(), chainrule_data::BatchError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches {
    indices: Vec<u32>,
    size: usize,
    seed: Option<Seed>,
}

impl Batches {
    /// Batches of `size` out of `len` samples, the last with the rest; in order, if there is no seed.
    ///
    /// # Errors
    ///
    /// [`BatchError`] if either is 0, or if there are more samples than a `u32` can count.
    pub fn new(len: usize, size: usize, seed: Option<Seed>) -> Result<Self, BatchError> {
        match (u32::try_from(len), size) {
            (Ok(0), _) => Err(BatchError::NoSamples),
            (_, 0) => Err(BatchError::Zero),
            (Err(_), _) => Err(BatchError::TooMany(len)),
            (Ok(len), _) => Ok(Self { indices: (0..len).collect(), size, seed }),
        }
    }

    /// Shuffles for this epoch. It allocates nothing.
    pub fn epoch(&mut self, epoch: u64) {
        let Some(seed) = self.seed else { return };
        // Always from the same order, so that an epoch does not depend on the ones before it.
        self.indices.iter_mut().zip(0..).for_each(|(index, at)| *index = at);
        seed.child(epoch).rng().shuffle(&mut self.indices);
    }

    /// The number of batches in an epoch.
    pub fn count(&self) -> usize {
        self.indices.len().div_ceil(self.size)
    }

    /// The batches of this epoch.
    pub fn iter(&self) -> std::slice::Chunks<'_, u32> {
        self.rest(0)
    }

    /// The samples of this epoch after the first `done`, in the order of the batches.
    pub fn order(&self, done: usize) -> &[u32] {
        &self.indices[done.min(self.indices.len())..]
    }

    /// The batches of this epoch after the first `done` samples, to go on after an interruption.
    pub fn rest(&self, done: usize) -> std::slice::Chunks<'_, u32> {
        self.order(done).chunks(self.size)
    }
}

impl<'a> IntoIterator for &'a Batches {
    type Item = &'a [u32];
    type IntoIter = std::slice::Chunks<'a, u32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Why samples cannot be divided into batches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// The data set is empty.
    #[error("the data set is empty: give it at least one sample")]
    NoSamples,
    /// The batch size is 0.
    #[error("the batch size is 0: choose at least 1")]
    Zero,
    /// More samples than a `u32` can count.
    #[error("{0} samples are more than the 4,294,967,295 that can be shuffled: split the data set")]
    TooMany(usize),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_once_in_an_order_of_the_epoch() {
        let mut batches = Batches::new(100, 7, Some(Seed(3))).unwrap();
        let mut order = |epoch| {
            batches.epoch(epoch);
            batches.iter().flatten().copied().collect::<Vec<_>>()
        };
        let (first, second) = (order(0), order(1));
        assert_ne!(first, second);
        assert_eq!(order(0), first);
        let mut sorted = second;
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(batches.count(), 15);
    }

    #[test]
    fn the_rest_of_an_epoch() {
        let mut batches = Batches::new(10, 4, Some(Seed(3))).unwrap();
        batches.epoch(2);
        assert!(batches.rest(4).eq(batches.iter().skip(1)));
        assert_eq!(batches.rest(3).map(<[u32]>::len).collect::<Vec<_>>(), [4, 3]);
        assert_eq!(batches.rest(10).count() + batches.rest(usize::MAX).count(), 0);
    }

    #[test]
    fn errors() {
        assert_eq!(Batches::new(0, 1, None).unwrap_err(), BatchError::NoSamples);
        assert_eq!(Batches::new(1, 0, None).unwrap_err(), BatchError::Zero);
    }
}
