//! Every layer in many configurations: the list of cases for the property tests. A new layer adds a line to the list of its
//! family.

use chainrule_core::{Layer, Sequential};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::Array2;

mod activations;
mod attention;
mod convolution;
mod dense;
mod embedding;
mod merge;
mod normalization;
mod pooling;
mod recurrent;
mod regularization;
mod shape;

/// A layer with the shape of its samples.
pub(crate) struct Case<T> {
    /// The name in messages and in the files of reference values; unique.
    pub(crate) name: &'static str,
    pub(crate) layers: Sequential<T>,
    /// The type of the layer.
    pub(crate) layer: &'static str,
    pub(crate) input: Shape,
    /// Maps an index in the sample and an arbitrary number to a value of the sample.
    pub(crate) value: fn(usize, f64) -> f64,
    /// Whether the inputs are ids, which have no gradient.
    pub(crate) ids: bool,
    /// Whether a row's result depends on the other rows, as in batch normalisation.
    pub(crate) whole_batch: bool,
}

/// A case with arbitrary inputs.
pub(crate) fn case<T: Real, L: Layer<T>>(name: &'static str, layer: L, input: impl Into<Shape>) -> Case<T> {
    let layers = Sequential::default().then(layer);
    let layer = std::any::type_name::<L>();
    Case { name, layers, layer, input: input.into(), value: |_, v| v, ids: false, whole_batch: false }
}

impl<T: Real> Case<T> {
    /// With inputs `value(index in the sample, arbitrary number)`.
    pub(crate) fn values(self, value: fn(usize, f64) -> f64) -> Self {
        Self { value, ..self }
    }

    /// With inputs that have no gradient, computed by `value` as in [`values`](Self::values).
    pub(crate) fn ids(self, value: fn(usize, f64) -> f64) -> Self {
        Self { value, ids: true, ..self }
    }

    /// The rows of a batch depend on each other.
    pub(crate) fn whole_batch(self) -> Self {
        Self { whole_batch: true, ..self }
    }

    /// Random samples.
    pub(crate) fn samples(&self, rows: usize, seed: Seed) -> Array2<T> {
        let size = self.input.size();
        let mut rng = seed.rng();
        Array2::from_shape_fn((rows, size), |(_, column)| T::of((self.value)(column, rng.normal())))
    }
}

/// Every layer.
pub(crate) fn every_layer<T: Real>() -> Vec<Case<T>> {
    [
        activations::cases(),
        attention::cases(),
        convolution::cases(),
        dense::cases(),
        embedding::cases(),
        merge::cases(),
        normalization::cases(),
        pooling::cases(),
        recurrent::cases(),
        regularization::cases(),
        shape::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
