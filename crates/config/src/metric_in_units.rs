//! A metric of scaled outputs and targets, in the units of the data.

use std::any::Any;

use chainrule::core::{Description, SettingError};
use chainrule::metrics::{Counter, Measure, Metric, MetricValue};
use chainrule::tensor::{Outputs, TargetError};
use ndarray::{Array2, ArrayView2};

/// A metric that is given outputs and targets in deviations from their means, and counts them as they are in the data.
#[derive(Debug)]
pub(crate) struct MetricInUnits {
    metric: Box<dyn Measure<f32, Vec<f32>>>,
    scales: Vec<[f64; 2]>,
}

impl MetricInUnits {
    /// The mean and the deviation of each target.
    pub(crate) fn new(metric: Box<dyn Measure<f32, Vec<f32>>>, scales: &[[f64; 2]]) -> Self {
        Self { metric, scales: scales.to_vec() }
    }
}

/// `mean + deviation z`.
fn unscale(z: f32, [mean, deviation]: [f64; 2]) -> f32 {
    (mean + deviation * f64::from(z)) as f32
}

fn targets_in_units(targets: &[Vec<f32>], scales: &[[f64; 2]]) -> Vec<Vec<f32>> {
    let target =
        |target: &Vec<f32>| target.iter().zip(scales).map(|(&z, &scale)| unscale(z, scale)).collect();
    targets.iter().map(target).collect()
}

impl Metric for MetricInUnits {
    fn name(&self) -> &'static str {
        self.metric.name()
    }

    fn description(&self) -> Description {
        self.metric.description()
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.metric.validate()
    }
}

impl Measure<f32, Vec<f32>> for MetricInUnits {
    fn check(&self, columns: usize, targets: &[Vec<f32>]) -> Result<(), TargetError> {
        self.metric.check(columns, &targets_in_units(targets, &self.scales))
    }

    fn outputs(&self, columns: usize, targets: &[Vec<f32>]) -> Option<Outputs> {
        self.metric.outputs(columns, &targets_in_units(targets, &self.scales))
    }

    fn start(&self) -> Box<dyn Counter<f32, Vec<f32>>> {
        Box::new(CounterInUnits { counter: self.metric.start(), scales: self.scales.clone() })
    }
}

#[derive(Debug)]
struct CounterInUnits {
    counter: Box<dyn Counter<f32, Vec<f32>>>,
    scales: Vec<[f64; 2]>,
}

impl Counter<f32, Vec<f32>> for CounterInUnits {
    fn update(&mut self, y: ArrayView2<'_, f32>, targets: &[Vec<f32>]) {
        let outputs =
            Array2::from_shape_fn(y.dim(), |(row, column)| unscale(y[[row, column]], self.scales[column]));
        self.counter.update(outputs.view(), &targets_in_units(targets, &self.scales));
    }

    fn merge(&mut self, other: &dyn Counter<f32, Vec<f32>>) {
        // The other is one of these as well, and what it has counted is that of its inner one.
        self.counter.merge(other);
    }

    fn reset(&mut self) {
        self.counter.reset();
    }

    fn value(&self) -> MetricValue {
        self.counter.value()
    }

    fn numbers(&self) -> Vec<f64> {
        self.counter.numbers()
    }

    fn restore(&mut self, numbers: &[f64]) -> Option<()> {
        self.counter.restore(numbers)
    }

    fn counts(&self) -> &dyn Any {
        self.counter.counts()
    }
}
