//! Means and sums of values.

use chainrule_core::{describe, described};
use chainrule_tensor::{Real, Target};
use ndarray::ArrayView2;

use crate::{Count, Counts, Metric, MetricValue, Statistic, Undefined};

/// The mean of all outputs, whatever the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean;

describe! {
    /// The mean of all outputs, whatever the targets.
    Mean = "mean";
    aliases ["mean_metric"];
    formula "Σ w y / Σ w";
    source "Keras' Mean";
}

impl Metric for Mean {
    fn name(&self) -> &'static str {
        "mean"
    }

    described!();
}

impl Statistic for Mean {
    type Counts = RunningMean;

    fn value(&self, counts: &RunningMean) -> MetricValue {
        counts.value().into()
    }
}

impl<T: Real, Y: Target<T>> Count<T, Y> for Mean {
    fn count(&self, counts: &mut RunningMean, y: ArrayView2<'_, T>, targets: &[Y]) {
        for (y, target) in y.rows().into_iter().zip(targets) {
            y.iter().for_each(|y| counts.push(y.as_f64(), target.weight()));
        }
    }
}

/// The sum of all outputs, whatever the targets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum;

describe! {
    /// The sum of all outputs, whatever the targets.
    Sum = "sum";
    aliases ["sum_metric"];
    formula "Σ w y";
    source "Keras' Sum";
}

impl Metric for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    described!();
}

impl Statistic for Sum {
    type Counts = RunningMean;

    fn value(&self, counts: &RunningMean) -> MetricValue {
        MetricValue::number(counts.sum())
    }
}

impl<T: Real, Y: Target<T>> Count<T, Y> for Sum {
    fn count(&self, counts: &mut RunningMean, y: ArrayView2<'_, T>, targets: &[Y]) {
        Mean.count(counts, y, targets);
    }
}

/// The weighted mean of a stream of values, such as the loss over batches of different sizes.
///
/// The sum is in double precision and compensated (Neumaier 1974), so its error does not grow with the number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RunningMean {
    sum: f64,
    lost: f64,
    weight: f64,
}

impl RunningMean {
    /// Adds a value with this weight. With a weight of 0 an infinite value counts as little as any other; NaN does count.
    #[inline]
    pub fn push(&mut self, value: f64, weight: f64) {
        let nothing = weight == 0.0 && value.is_infinite();
        self.add(if nothing { 0.0 } else { value * weight });
        self.weight += weight;
    }

    /// The sum of the values, each times its weight.
    pub fn sum(&self) -> f64 {
        // The compensation of an infinite sum is NaN.
        if self.sum.is_finite() { self.sum + self.lost } else { self.sum }
    }

    /// The sum of the weights.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The mean.
    ///
    /// # Errors
    ///
    /// [`Undefined`] if nothing was added, or if the sum is NaN.
    pub fn value(&self) -> Result<f64, Undefined> {
        if self.weight == 0.0 && !self.sum.is_nan() {
            return Err(Undefined::NO_SAMPLE);
        }
        crate::value::defined(self.sum() / self.weight)
    }

    #[inline]
    fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        let (large, small) = if self.sum.abs() >= term.abs() { (self.sum, term) } else { (term, self.sum) };
        self.lost += (large - sum) + small;
        self.sum = sum;
    }
}

impl Counts for RunningMean {
    fn merge(&mut self, other: &Self) {
        self.add(other.sum);
        self.lost += other.lost;
        self.weight += other.weight;
    }

    fn scale(&mut self, weight: f64) {
        *self = Self { sum: self.sum * weight, lost: self.lost * weight, weight: self.weight * weight };
    }

    fn numbers(&self) -> Vec<f64> {
        vec![self.sum, self.lost, self.weight]
    }

    fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let &[sum, lost, weight] = numbers else { return None };
        Some(Self { sum, lost, weight })
    }
}
