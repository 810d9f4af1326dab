//! What metrics count.

use std::fmt::Debug;

/// What a metric has counted, to which the counts of other samples can be added: of another shard, or of another process.
///
/// Samples count by their weights, so counts are `f64`, exact up to 2⁵³ samples. Arrays of them are counts, for metrics that count
/// a few things.
pub trait Counts: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// Adds the counts of `other`, as if its samples had been counted here after those that already are.
    fn merge(&mut self, other: &Self);

    /// Multiplies the weights of all samples that were counted by this one.
    fn scale(&mut self, weight: f64);

    /// Forgets all samples, but may keep the memory for them.
    fn reset(&mut self) {
        *self = Self::default();
    }

    /// The counts as numbers, for a file.
    fn numbers(&self) -> Vec<f64>;

    /// Counts from numbers; `None` if they are none.
    fn from_numbers(numbers: &[f64]) -> Option<Self>;
}

macro_rules! arrays {
    ($($len:literal)*) => {$(
        impl Counts for [f64; $len] {
            fn merge(&mut self, other: &Self) {
                self.iter_mut().zip(other).for_each(|(count, other)| *count += other);
            }

            fn scale(&mut self, weight: f64) {
                self.iter_mut().for_each(|count| *count *= weight);
            }

            fn numbers(&self) -> Vec<f64> {
                self.to_vec()
            }

            fn from_numbers(numbers: &[f64]) -> Option<Self> {
                numbers.try_into().ok()
            }
        }
    )*};
}
arrays!(1 2 3 4 5 6 7 8);
