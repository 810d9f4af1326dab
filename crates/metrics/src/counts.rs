//! What metrics count.

use std::fmt::Debug;

/// What a metric has counted, to which the counts of other samples can be added: of another shard, or of another process.
///
/// Arrays of numbers are, for metrics that count a few things.
pub trait Counts: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// Adds the counts of `other`, as if its samples had been counted here after those that already are.
    fn merge(&mut self, other: &Self);

    /// Forgets all samples, but may keep the memory for them.
    fn reset(&mut self) {
        *self = Self::default();
    }

    /// The counts as numbers, for a file. A number of samples is exact up to 2⁵³.
    fn numbers(&self) -> Vec<f64>;

    /// Counts from numbers; `None` if they are none.
    fn from_numbers(numbers: &[f64]) -> Option<Self>;
}

/// A number that is counted.
trait Number: Copy + Debug + Default + PartialEq + Send + Sync + std::ops::AddAssign + 'static {
    fn write(self) -> f64;
    fn read(number: f64) -> Self;
}

impl Number for u64 {
    fn write(self) -> f64 {
        self as f64
    }

    fn read(number: f64) -> Self {
        number as Self
    }
}

impl Number for f64 {
    fn write(self) -> f64 {
        self
    }

    fn read(number: f64) -> Self {
        number
    }
}

macro_rules! arrays {
    ($($number:ty: $($len:literal)*;)*) => {$($(
        impl Counts for [$number; $len] {
            fn merge(&mut self, other: &Self) {
                self.iter_mut().zip(other).for_each(|(count, other)| *count += *other);
            }

            fn numbers(&self) -> Vec<f64> {
                self.iter().map(|count| count.write()).collect()
            }

            fn from_numbers(numbers: &[f64]) -> Option<Self> {
                let numbers: [f64; $len] = numbers.try_into().ok()?;
                Some(numbers.map(Number::read))
            }
        }
    )*)*};
}
arrays!(u64: 1 2 3 4 5 6 7 8; f64: 1 2 3 4 5 6 7 8;);
