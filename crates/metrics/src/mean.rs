//! The mean of a value.

use crate::Merge;

/// The weighted mean of values that go by, such as a loss over batches of different sizes. The sum is kept in double
/// precision and compensated (Neumaier 1974), so that it does not depend on how many values there are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    lost: f64,
    weight: f64,
}

impl Mean {
    /// Adds a value with this weight.
    pub fn push(&mut self, value: f64, weight: f64) {
        self.add(value * weight);
        self.weight += weight;
    }

    /// The mean; NaN if nothing was added.
    pub fn value(&self) -> f64 {
        (self.sum + self.lost) / self.weight
    }

    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        let (great, small) = if self.sum.abs() >= term.abs() { (self.sum, term) } else { (term, self.sum) };
        self.lost += (great - sum) + small;
        self.sum = sum;
    }
}

impl Merge for Mean {
    fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.lost += other.lost;
        self.weight += other.weight;
    }
}
