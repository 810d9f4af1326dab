//! A metric and what was counted for it.

use std::any::Any;
use std::fmt;

use chainrule_core::SettingError;
use chainrule_tensor::Real;
use ndarray::ArrayView2;

use crate::{Count, Counter, Counts, MetricValue, Statistic};

/// A metric and what was counted for it since the last [`reset`](Self::reset).
///
/// ```
/// use chainrule_metrics::{Accuracy, MetricValue, Tally};
/// use ndarray::array;
/// let mut all = Tally::new(Accuracy);
/// all.update(array![[0.1f32, 0.9], [0.8, 0.2]].view(), &[1u8, 1]);
/// let mut more = Tally::new(Accuracy);
/// more.update(array![[0.7f32, 0.3], [0.4, 0.6]].view(), &[0u8, 1]);
/// all.merge(&more);
/// assert_eq!(all.value(), MetricValue::Number(0.75));
/// ```
///
/// It begins on a cache line of its own, since tallies of one metric are counted on several threads at once.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(128))]
pub struct Tally<M: Statistic> {
    metric: M,
    counts: M::Counts,
}

impl<M: Statistic> Tally<M> {
    /// A tally without samples.
    pub fn new(metric: M) -> Self {
        let counts = metric.empty();
        Self { metric, counts }
    }

    /// The metric.
    pub fn metric(&self) -> &M {
        &self.metric
    }

    /// What was counted.
    pub fn counts(&self) -> &M::Counts {
        &self.counts
    }

    /// The metric's name.
    pub fn name(&self) -> &'static str {
        self.metric.name()
    }

    /// Checks the settings of the metric.
    ///
    /// # Errors
    ///
    /// [`SettingError`], naming the setting, its value and what is allowed.
    pub fn validate(&self) -> Result<(), SettingError> {
        self.metric.validate()
    }

    /// Adds a batch of outputs `y`, `[rows, columns]`, and their targets, one a row.
    pub fn update<T: Real, Y>(&mut self, y: ArrayView2<'_, T>, targets: &[Y])
    where
        M: Count<T, Y>,
    {
        self.metric.count(&mut self.counts, y, targets);
    }

    /// Adds what `other` has counted, as if it had been counted here after what already is.
    pub fn merge(&mut self, other: &Self) {
        self.counts.merge(&other.counts);
    }

    /// Forgets all samples, but keeps the memory for them.
    pub fn reset(&mut self) {
        self.counts.reset();
    }

    /// The value over all samples.
    pub fn value(&self) -> MetricValue {
        self.metric.value(&self.counts)
    }

    /// What was counted, as numbers from which [`restore`](Self::restore) goes on.
    pub fn numbers(&self) -> Vec<f64> {
        self.counts.numbers()
    }

    /// Replaces what was counted by what [`numbers`](Self::numbers) returned; `None`, and nothing is changed, if these are not
    /// the counts of such a metric.
    pub fn restore(&mut self, numbers: &[f64]) -> Option<()> {
        self.counts = Counts::from_numbers(numbers)?;
        Some(())
    }
}

impl<M: Statistic> fmt::Display for Tally<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.value())
    }
}

impl<T: Real, Y, M: Count<T, Y>> Counter<T, Y> for Tally<M> {
    fn update(&mut self, y: ArrayView2<'_, T>, targets: &[Y]) {
        Tally::update(self, y, targets);
    }

    fn merge(&mut self, other: &dyn Counter<T, Y>) {
        let other = other.counts().downcast_ref().expect("tallies of one metric");
        self.counts.merge(other);
    }

    fn reset(&mut self) {
        Tally::reset(self);
    }

    fn value(&self) -> MetricValue {
        Tally::value(self)
    }

    fn numbers(&self) -> Vec<f64> {
        Tally::numbers(self)
    }

    fn restore(&mut self, numbers: &[f64]) -> Option<()> {
        Tally::restore(self, numbers)
    }

    fn counts(&self) -> &dyn Any {
        &self.counts
    }
}
