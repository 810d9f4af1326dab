//! The mean of a value.

use chainrule_tensor::Real;
use ndarray::ArrayView2;

use crate::{Measure, Mergeable, Metric};

/// The weighted mean of a stream of values, such as the loss over batches of different sizes; as a [`Metric`], the mean
/// of all outputs, whatever the targets.
///
/// The sum is in double precision and compensated (Neumaier 1974), so its error does not grow with the number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    sum: f64,
    lost: f64,
    weight: f64,
}

impl Mean {
    /// Adds a value with this weight. With a weight of 0 an infinite value counts as little as any other; NaN does count.
    pub fn push(&mut self, value: f64, weight: f64) {
        let nothing = weight == 0.0 && value.is_infinite();
        self.add(if nothing { 0.0 } else { value * weight });
        self.weight += weight;
    }

    /// The mean; NaN if nothing was added.
    pub fn value(&self) -> f64 {
        // The compensation of an infinite sum is NaN.
        let sum = if self.sum.is_finite() { self.sum + self.lost } else { self.sum };
        sum / self.weight
    }

    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        let (large, small) = if self.sum.abs() >= term.abs() { (self.sum, term) } else { (term, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }
}

impl Metric for Mean {
    fn name(&self) -> &'static str {
        "mean output"
    }

    fn reset(&mut self) {
        *self = Self::default();
    }

    fn value(&self) -> f64 {
        Self::value(self)
    }

    fn counts(&self) -> Option<Vec<f64>> {
        Some(vec![self.sum, self.lost, self.weight])
    }

    fn restore(&mut self, counts: &[f64]) -> Option<()> {
        let &[sum, lost, weight] = counts else { return None };
        *self = Self { sum, lost, weight };
        Some(())
    }
}

impl<T: Real, Y> Measure<T, Y> for Mean {
    fn update(&mut self, y: ArrayView2<'_, T>, _: &[Y]) {
        y.iter().for_each(|y| self.push(y.as_f64(), 1.0));
    }
}

impl Mergeable for Mean {
    fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.lost += other.lost;
        self.weight += other.weight;
    }
}
