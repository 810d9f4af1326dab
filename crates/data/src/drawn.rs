//! A data set whose samples are drawn at random from another, anew in every epoch.

use std::hash::Hash;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};

use chainrule_tensor::{Real, Seed, Shape, SparseMatrix};

use crate::split::balanced_weights;
use crate::{Dataset, Samples, WeightsError};

/// An epoch of samples that are drawn from another data set, each time one with a chance in proportion to its weight, whether it was drawn
/// before or not: PyTorch's `WeightedRandomSampler`. [`balanced`](Self::balanced) gives each class the same chance, so that rare ones are
/// seen as often as frequent ones.
///
/// What is drawn depends on the seed and the epoch alone. Evaluate on the data set itself: this one may have a sample twice.
///
/// ```
/// use chainrule_data::{Dataset, Drawn, Samples, digits};
/// use chainrule_tensor::Seed;
/// let data = digits(100, Seed(1));
/// let mut row = vec![0.0f32; 784];
/// let is_seven: Vec<bool> = (0..100).map(|index| data.read(index, &mut row) == 7).collect();
/// let train = Drawn::balanced(data, &is_seven, Seed(2))?; // half of them are a seven
/// assert_eq!(train.len(), 100);
/// # Ok::<(), chainrule_data::WeightsError>(())
/// ```
#[derive(Debug)]
pub struct Drawn<D> {
    data: D,
    /// The sum of the weights up to and with each sample.
    sums: Vec<f64>,
    seed: Seed,
    /// The sample at each index in this epoch.
    drawn: Vec<AtomicU32>,
}

impl<D: Dataset> Drawn<D> {
    /// As many samples as the data set has, drawn with these weights.
    ///
    /// # Errors
    ///
    /// [`WeightsError`] if there is another number of weights, one is negative, infinite or NaN, all are 0, or there are more samples than
    /// a `u32` can count.
    pub fn new(data: D, weights: &[f32], seed: impl Into<Seed>) -> Result<Self, WeightsError> {
        WeightsError::check(data.len(), weights)?;
        let sums: Vec<f64> = weights
            .iter()
            .scan(0.0, |sum, &weight| {
                *sum += f64::from(weight);
                Some(*sum)
            })
            .collect();
        if !sums.last().is_some_and(|&sum| sum > 0.0) || u32::try_from(sums.len()).is_err() {
            return Err(WeightsError::NoChance { samples: sums.len() });
        }
        let drawn = sums.iter().map(|_| AtomicU32::new(0)).collect();
        let this = Self { data, sums, seed: seed.into(), drawn };
        this.draw(0);
        Ok(this)
    }

    /// The same where each of the labels that occur has the same chance.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), if there is not one label for each sample.
    pub fn balanced<L: Eq + Hash>(
        data: D,
        labels: &[L],
        seed: impl Into<Seed>,
    ) -> Result<Self, WeightsError> {
        Self::new(data, &balanced_weights(labels), seed)
    }

    /// So many samples in an epoch.
    #[must_use]
    pub fn samples(mut self, count: usize) -> Self {
        self.drawn = (0..count).map(|_| AtomicU32::new(0)).collect();
        self.draw(0);
        self
    }

    /// Draws the samples of an epoch.
    fn draw(&self, epoch: u64) {
        let mut rng = self.seed.child(epoch).rng();
        let total = self.sums.last().copied().unwrap_or_default();
        // Rounding may reach the sum of all, but not the last sample that has a chance.
        let last = self.sums.partition_point(|&sum| sum < total);
        for drawn in &self.drawn {
            let at = total * rng.uniform();
            let sample = self.sums.partition_point(|&sum| sum <= at).min(last);
            drawn.store(sample as u32, Ordering::Relaxed);
        }
    }

    /// The index in the whole data set.
    fn of(&self, index: usize) -> usize {
        self.drawn[index].load(Ordering::Relaxed) as usize
    }
}

impl<D: Dataset> Dataset for Drawn<D> {
    type Target = D::Target;

    fn len(&self) -> usize {
        self.drawn.len()
    }

    fn shape(&self) -> Shape {
        self.data.shape()
    }

    fn classes(&self) -> Option<usize> {
        self.data.classes()
    }

    fn stored_values(&self, rows: usize) -> Option<usize> {
        // One may be drawn every time.
        self.data.stored_values(1).map(|values| values.saturating_mul(rows))
    }

    fn prefetch(&self, index: usize, columns: Range<usize>) {
        self.data.prefetch(self.of(index), columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.draw(epoch);
        self.data.enter_epoch(epoch);
    }

    fn failure(&self) -> Option<String> {
        self.data.failure()
    }
}

impl<T: Real, D: Samples<T>> Samples<T> for Drawn<D> {
    fn read(&self, index: usize, row: &mut [T]) -> Self::Target {
        self.data.read(self.of(index), row)
    }

    fn read_part(&self, index: usize, columns: Range<usize>, part: &mut [T], row: &mut [T]) -> Self::Target {
        self.data.read_part(self.of(index), columns, part, row)
    }

    fn read_sparse(&self, index: usize, x: &mut SparseMatrix<T>) -> Self::Target {
        self.data.read_sparse(self.of(index), x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rows;
    use ndarray::Array2;

    /// 1000 samples, every hundredth of class 1; the value of a sample is its index.
    fn rare() -> (Rows<f32, u8>, Vec<u8>) {
        let labels: Vec<u8> = (0..1000).map(|index| (index % 100 == 0).into()).collect();
        let rows = Array2::from_shape_fn((1000, 1), |(index, _)| index as f32);
        (Rows::new(rows, labels.clone()).unwrap(), labels)
    }

    fn read(data: &impl Samples<f32, Target = u8>) -> Vec<(f32, u8)> {
        let one = |index| {
            let mut row = [0.0];
            let target = data.read(index, &mut row);
            (row[0], target)
        };
        (0..data.len()).map(one).collect()
    }

    #[test]
    fn each_class_has_the_same_chance() {
        let (data, labels) = rare();
        let drawn = Drawn::balanced(data, &labels, Seed(1)).unwrap();
        let first = read(&drawn);
        // Ten samples have half of the draws: 500 with a deviation of 16.
        let rare = first.iter().filter(|(_, class)| *class == 1).count();
        assert!((420..580).contains(&rare), "{rare}");
        assert!(first.iter().all(|&(index, class)| labels[index as usize] == class));
        drawn.enter_epoch(1);
        let second = read(&drawn);
        assert_ne!(first, second);
        drawn.enter_epoch(0);
        assert_eq!(read(&drawn), first);
        assert_eq!(read(&drawn.samples(30)), first[..30]);
    }

    #[test]
    fn what_has_no_weight_has_no_chance() {
        let (data, labels) = rare();
        let weights: Vec<f32> = labels.iter().map(|&class| class.into()).collect();
        let drawn = Drawn::new(&data, &weights, Seed(3)).unwrap();
        assert!(read(&drawn).iter().all(|&(_, class)| class == 1));
        let of = |weights: &[f32]| Drawn::new(&data, weights, Seed(3)).map(|_| ()).unwrap_err();
        assert_eq!(of(&[0.0; 1000]), WeightsError::NoChance { samples: 1000 });
        assert_eq!(of(&[1.0; 3]), WeightsError::Number { samples: 1000, weights: 3 });
        assert!(matches!(of(&[f32::NAN; 1000]), WeightsError::Weight { sample: 0, .. }));
    }
}
