//! What a model predicts.

use std::sync::Arc;

use chainrule::core::{Described, Description, DescriptionError, Kind, Registry, describe};
use chainrule::data::{Dataset, Samples};
use chainrule::metrics::{ConfusionMatrix, Measure};
use chainrule::tensor::{Outputs, Shape, Target};

use crate::load::SharedSamples;
use crate::metric_in_units::MetricInUnits;

/// The most classes that a training takes: the targets of the registry's losses are bytes.
pub(crate) const MAX_CLASSES: usize = 256;

/// What a model predicts: its targets, their classes, and how numbers are scaled while they are learnt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictedTargets {
    /// The names of the targets: columns of a table, or `class`.
    pub names: Vec<String>,
    /// The classes of the one target, if it is a class.
    pub classes: Option<Vec<String>>,
    /// Whether each target is a yes or no.
    pub labels: bool,
    /// The mean of each target, and its deviation, where targets are learnt in deviations from the mean.
    pub scales: Vec<[f64; 2]>,
}

describe! {
    /// What a model predicts.
    PredictedTargets = "predicts";
    settings {
        /// The names of the targets.
        names: required;
        /// The classes of the one target, if it is a class.
        classes: none;
        /// Whether each target is a yes or no.
        labels: false;
        /// The mean and the deviation of each target, where targets are learnt in deviations from the mean.
        scales: [];
    }
}

impl Kind for PredictedTargets {
    const KIND: &'static str = "prediction";
    const KINDS: &'static str = "predictions";

    fn description(&self) -> Description {
        self.describe()
    }
}

impl PredictedTargets {
    /// One target that is one of these classes.
    pub(crate) fn classes(name: &str, classes: Vec<String>) -> Self {
        Self { names: vec![name.to_owned()], classes: Some(classes), ..Self::default() }
    }

    /// Targets each of which is a yes or no.
    pub(crate) fn labels(names: Vec<String>) -> Self {
        Self { names, labels: true, ..Self::default() }
    }

    /// Targets that are numbers.
    pub(crate) fn numbers(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Targets that are numbers, and are learnt in deviations from their means.
    pub(crate) fn scaled(names: Vec<String>, targets: &[Vec<f32>]) -> Self {
        let count = targets.len().max(1) as f64;
        let scale = |column: usize| {
            let values = || targets.iter().map(|target| f64::from(target[column]));
            let mean = values().sum::<f64>() / count;
            let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            // Of a constant target the mean is all there is to learn.
            let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
            [mean, deviation]
        };
        let scales = (0..names.len()).map(scale).collect();
        Self { scales, ..Self::numbers(names) }
    }

    /// Whether so many outputs of a model can predict this: one for each class, of a yes or no also a single one, or one for each target.
    pub(crate) fn fit(&self, outputs: usize) -> bool {
        match self.classes.as_ref().map(Vec::len) {
            Some(2) if outputs == 1 => true,
            Some(classes) => (2..=MAX_CLASSES).contains(&classes) && outputs == classes,
            None => outputs > 0 && outputs == self.names.len(),
        }
    }

    /// In words, for errors.
    pub(crate) fn words(&self) -> String {
        match (&self.classes, self.names.len()) {
            (Some(classes), _) => format!("{} classes", classes.len()),
            (None, 1) => "one target".to_owned(),
            (None, count) => format!("{count} targets"),
        }
    }

    /// What this text describes.
    pub(crate) fn from_text(text: &str) -> Result<Self, DescriptionError> {
        let mut registry = Registry::new();
        registry.add::<Self, Self>(|predicts| predicts);
        registry.build(&text.parse()?)
    }
}

/// A type of targets that can be learnt from a configuration: classes, `u8`, or numbers, `Vec<f32>`.
pub trait LearntTarget: Target<f32> + Clone + Send + Sync + 'static {
    /// The samples with targets in deviations from their means.
    #[doc(hidden)]
    fn scaled(samples: SharedSamples<Self>, scales: &[[f64; 2]]) -> SharedSamples<Self> {
        let _ = scales;
        samples
    }

    /// The metric of outputs and targets in the units of the data.
    #[doc(hidden)]
    fn in_units(metric: Box<dyn Measure<f32, Self>>, scales: &[[f64; 2]]) -> Box<dyn Measure<f32, Self>> {
        let _ = scales;
        metric
    }

    /// The target that is the class of this index, if targets are classes.
    #[doc(hidden)]
    fn of_class(class: usize) -> Option<Self> {
        let _ = class;
        None
    }

    /// The confusion matrix, where outputs are classes.
    #[doc(hidden)]
    fn confusion(outputs: Outputs) -> Option<Box<dyn Measure<f32, Self>>> {
        let _ = outputs;
        None
    }
}

impl LearntTarget for u8 {
    fn of_class(class: usize) -> Option<Self> {
        Self::try_from(class).ok()
    }

    fn confusion(outputs: Outputs) -> Option<Box<dyn Measure<f32, Self>>> {
        match outputs {
            Outputs::Values => None,
            outputs => {
                let from_logits = outputs == Outputs::Logits;
                Some(Box::new(ConfusionMatrix { from_logits, ..ConfusionMatrix }))
            }
        }
    }
}

impl LearntTarget for Vec<f32> {
    fn scaled(samples: SharedSamples<Self>, scales: &[[f64; 2]]) -> SharedSamples<Self> {
        if scales.is_empty() {
            return samples;
        }
        Arc::new(ScaledTargets { samples, scales: scales.to_vec() })
    }

    fn in_units(metric: Box<dyn Measure<f32, Self>>, scales: &[[f64; 2]]) -> Box<dyn Measure<f32, Self>> {
        if scales.is_empty() { metric } else { Box::new(MetricInUnits::new(metric, scales)) }
    }
}

/// Samples whose targets are in deviations from their means.
struct ScaledTargets {
    samples: SharedSamples<Vec<f32>>,
    scales: Vec<[f64; 2]>,
}

impl ScaledTargets {
    fn scale(&self, mut target: Vec<f32>) -> Vec<f32> {
        for (value, [mean, deviation]) in target.iter_mut().zip(&self.scales) {
            *value = ((f64::from(*value) - mean) / deviation) as f32;
        }
        target
    }
}

impl Dataset for ScaledTargets {
    type Target = Vec<f32>;

    fn len(&self) -> usize {
        self.samples.len()
    }

    fn shape(&self) -> Shape {
        self.samples.shape()
    }

    fn prefetch(&self, index: usize, columns: std::ops::Range<usize>) {
        self.samples.prefetch(index, columns);
    }

    fn enter_epoch(&self, epoch: u64) {
        self.samples.enter_epoch(epoch);
    }
}

impl Samples<f32> for ScaledTargets {
    fn read(&self, index: usize, row: &mut [f32]) -> Vec<f32> {
        self.scale(self.samples.read(index, row))
    }

    fn read_part(
        &self,
        index: usize,
        columns: std::ops::Range<usize>,
        part: &mut [f32],
        row: &mut [f32],
    ) -> Vec<f32> {
        self.scale(self.samples.read_part(index, columns, part, row))
    }
}
