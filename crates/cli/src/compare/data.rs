//! Random samples and targets, and their bytes for the other library.

use std::error::Error;

use chainrule::core::{Description, Value};
use chainrule::prelude::*;
use ndarray::{Array2, ArrayView2};

use super::LossName;

/// The most classes: targets are bytes.
const MAX_CLASSES: usize = 256;

/// Samples with normal values, or with the ids of a table.
pub(super) struct RandomSamples {
    shape: Shape,
    values: Array2<f32>,
}

impl RandomSamples {
    /// Samples of a model.
    pub(super) fn new(model: &Model<f32>, count: usize, seed: Seed) -> Self {
        let mut rng = seed.rng();
        let shape = model.input();
        let vocabulary = vocabulary(&model.describe());
        let value = || match vocabulary {
            Some(ids) => rng.below(ids) as f32,
            None => rng.normal() as f32,
        };
        Self { shape, values: Array2::from_shape_simple_fn((count, shape.size()), value) }
    }

    /// The samples with these targets.
    pub(super) fn with<'a, Y: Clone + Send + Sync>(&'a self, targets: &'a [Y]) -> WithTargets<'a, Y> {
        WithTargets { samples: self, targets }
    }

    /// All of them, one a row.
    pub(super) fn rows(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// The number of ids that the first layer knows, if it is a table.
fn vocabulary(layers: &Description) -> Option<usize> {
    let mut layer = layers.clone();
    while layer.name == "sequential" {
        let Some(Value::List(inside)) = layer.get("layers") else { return None };
        layer = inside.first()?.to_description()?;
    }
    let ids = layer.get("vocabulary")?.as_f64()?;
    Some(ids as usize)
}

/// Random targets.
pub(super) enum Targets {
    Classes(Vec<u8>),
    Values(Vec<Vec<f32>>),
}

impl Targets {
    pub(super) fn new(
        loss: LossName,
        output: Shape,
        count: usize,
        seed: Seed,
    ) -> Result<Self, Box<dyn Error>> {
        let mut rng = seed.rng();
        let size = output.size();
        Ok(match loss {
            LossName::CrossEntropy if !(2..=MAX_CLASSES).contains(&size) || output.len() != 1 => {
                return Err(format!(
                    "the outputs of the model have the shape {output}, which is no vector with an output for each of 2 to {MAX_CLASSES} \
                     classes: choose --loss mean-squared-error"
                )
                .into());
            }
            LossName::CrossEntropy => {
                Self::Classes((0..count).map(|_| u8::try_from(rng.below(size)).unwrap_or(0)).collect())
            }
            LossName::MeanSquaredError => {
                let mut row = || (0..size).map(|_| rng.normal() as f32).collect();
                Self::Values((0..count).map(|_| row()).collect())
            }
        })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Classes(classes) => classes.len(),
            Self::Values(values) => values.len(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Classes(classes) => classes.clone(),
            Self::Values(values) => values.iter().flatten().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

/// Samples with targets.
pub(super) struct WithTargets<'a, Y> {
    samples: &'a RandomSamples,
    targets: &'a [Y],
}

impl<Y: Clone + Send + Sync> Dataset for WithTargets<'_, Y> {
    type Target = Y;

    fn len(&self) -> usize {
        self.targets.len()
    }

    fn shape(&self) -> Shape {
        self.samples.shape
    }
}

impl<Y: Clone + Send + Sync> Samples<f32> for WithTargets<'_, Y> {
    fn read(&self, index: usize, row: &mut [f32]) -> Y {
        for (value, sample) in row.iter_mut().zip(self.samples.values.row(index)) {
            *value = *sample;
        }
        self.targets[index].clone()
    }
}
