//! Metrics that are shown outputs and targets in another form than that in which they are learnt.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;

use chainrule::core::{Description, SettingError};
use chainrule::metrics::{Counter, Measure, Metric, MetricValue};
use chainrule::tensor::{Outputs, TargetError};
use ndarray::{ArrayView2, CowArray, Ix2};

/// The form in which a metric is shown outputs, and targets that are numbers.
pub(crate) trait MetricView: Clone + Debug + Send + Sync + 'static {
    /// The targets of the metric.
    type Target: Clone + Debug + Send + Sync + 'static;

    /// The outputs, as the metric is shown them.
    fn outputs<'y>(&self, y: ArrayView2<'y, f32>) -> CowArray<'y, f32, Ix2>;

    /// The targets, as the metric is shown them.
    fn targets<'t>(&self, targets: &'t [Vec<f32>]) -> Cow<'t, [Self::Target]>;

    /// How many of so many columns it is shown.
    fn columns(&self, columns: usize) -> Result<usize, TargetError> {
        Ok(columns)
    }

    /// Whether it is shown all columns, so that what it takes them for is what the loss takes them for.
    fn shows_all(&self) -> bool {
        true
    }
}

/// A metric that is shown another form of outputs and targets.
#[derive(Debug)]
pub(crate) struct ViewedMetric<V: MetricView> {
    pub(crate) metric: Box<dyn Measure<f32, V::Target>>,
    pub(crate) view: V,
}

impl<V: MetricView> Metric for ViewedMetric<V> {
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

impl<V: MetricView> Measure<f32, Vec<f32>> for ViewedMetric<V> {
    fn check(&self, columns: usize, targets: &[Vec<f32>]) -> Result<(), TargetError> {
        self.metric.check(self.view.columns(columns)?, &self.view.targets(targets))
    }

    fn outputs(&self, columns: usize, targets: &[Vec<f32>]) -> Option<Outputs> {
        let shown = self.view.shows_all().then(|| self.view.targets(targets))?;
        self.metric.outputs(columns, &shown)
    }

    fn start(&self) -> Box<dyn Counter<f32, Vec<f32>>> {
        Box::new(ViewedCounter { counter: self.metric.start(), view: self.view.clone() })
    }
}

/// What such a metric has counted.
#[derive(Debug)]
struct ViewedCounter<V: MetricView> {
    counter: Box<dyn Counter<f32, V::Target>>,
    view: V,
}

impl<V: MetricView> Counter<f32, Vec<f32>> for ViewedCounter<V> {
    fn update(&mut self, y: ArrayView2<'_, f32>, targets: &[Vec<f32>]) {
        self.counter.update(self.view.outputs(y).view(), &self.view.targets(targets));
    }

    fn merge(&mut self, other: &dyn Counter<f32, Vec<f32>>) {
        let other = other.counts().downcast_ref::<Self>().expect("the tally of the same metric");
        self.counter.merge(&*other.counter);
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
        self
    }
}

/// In the units of the data: outputs and targets that are learnt in deviations from their means, which are given with the deviations.
#[derive(Clone, Debug)]
pub(crate) struct InUnits(pub(crate) Vec<[f64; 2]>);

/// `mean + deviation z`.
pub(crate) fn unscale(z: f32, [mean, deviation]: [f64; 2]) -> f32 {
    (mean + deviation * f64::from(z)) as f32
}

/// `z = (y - mean) / deviation`.
pub(crate) fn rescale(y: f32, [mean, deviation]: [f64; 2]) -> f32 {
    ((f64::from(y) - mean) / deviation) as f32
}

impl MetricView for InUnits {
    type Target = Vec<f32>;

    fn outputs<'y>(&self, y: ArrayView2<'y, f32>) -> CowArray<'y, f32, Ix2> {
        ndarray::Array2::from_shape_fn(y.dim(), |(row, column)| unscale(y[[row, column]], self.0[column]))
            .into()
    }

    fn targets<'t>(&self, targets: &'t [Vec<f32>]) -> Cow<'t, [Vec<f32>]> {
        let target =
            |target: &Vec<f32>| target.iter().zip(&self.0).map(|(&z, &scale)| unscale(z, scale)).collect();
        targets.iter().map(target).collect()
    }
}

/// So many targets of each row, without how much it counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WithoutWeights(pub(crate) usize);

impl WithoutWeights {
    /// The targets of rows that may have one number more.
    pub(crate) fn of(self, rows: &[Vec<f32>]) -> Cow<'_, [Vec<f32>]> {
        let Self(count) = self;
        if rows.iter().all(|row| row.len() <= count) {
            return Cow::Borrowed(rows);
        }
        rows.iter().map(|row| row[..count.min(row.len())].to_vec()).collect()
    }
}

impl MetricView for WithoutWeights {
    type Target = Vec<f32>;

    fn outputs<'y>(&self, y: ArrayView2<'y, f32>) -> CowArray<'y, f32, Ix2> {
        y.into()
    }

    fn targets<'t>(&self, targets: &'t [Vec<f32>]) -> Cow<'t, [Vec<f32>]> {
        self.of(targets)
    }
}
