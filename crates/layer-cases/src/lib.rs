//! Every layer in many configurations: the list of cases for the property tests of layers and of trainings. A new layer adds a
//! line to the list of its family.
//!
//! The decision here: the list and its tests are a crate of their own, not published, since code for more than a hundred layers in
//! two precisions takes minutes to compile: once here, and not at all for the tests of one layer in `crates/layers/tests`. Those of
//! double precision are written as code, and those of single precision are built from the descriptions of these.

use chainrule_core::{AnyLayer, Described, Layer, Registry, Sequential, register};
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
pub struct Case<T> {
    /// The name in messages and in the files of reference values; unique.
    pub name: &'static str,
    /// The layer, in a sequence of its own.
    pub layers: Sequential<T>,
    /// The type of the layer.
    pub layer: &'static str,
    /// The shape of a sample.
    pub input: Shape,
    /// Maps an index in the sample and an arbitrary number to a value of the sample.
    pub value: fn(usize, f64) -> f64,
    /// Whether the inputs are ids, which have no gradient.
    pub ids: bool,
    /// Whether a row's result depends on the other rows, as in batch normalisation.
    pub whole_batch: bool,
}

/// A case with arbitrary inputs.
pub fn case<T: Real, L: Layer<T>>(name: &'static str, layer: L, input: impl Into<Shape>) -> Case<T> {
    let layers = Sequential::default().then(layer);
    let layer = std::any::type_name::<L>();
    Case { name, layers, layer, input: input.into(), value: |_, v| v, ids: false, whole_batch: false }
}

impl<T: Real> Case<T> {
    /// With inputs `value(index in the sample, arbitrary number)`.
    pub fn values(self, value: fn(usize, f64) -> f64) -> Self {
        Self { value, ..self }
    }

    /// With inputs that have no gradient, computed by `value` as in [`values`](Self::values).
    pub fn ids(self, value: fn(usize, f64) -> f64) -> Self {
        Self { value, ids: true, ..self }
    }

    /// The rows of a batch depend on each other.
    pub fn whole_batch(self) -> Self {
        Self { whole_batch: true, ..self }
    }

    /// Random samples.
    pub fn samples(&self, rows: usize, seed: Seed) -> Array2<T> {
        let size = self.input.size();
        let mut rng = seed.rng();
        Array2::from_shape_fn((rows, size), |(_, column)| T::of((self.value)(column, rng.normal())))
    }
}

/// What the descriptions of the cases may name: all layers, and the one that the list has of its own.
pub fn registry<T: Precision>() -> Registry {
    T::registry()
}

/// Every layer.
pub fn every_layer<T: Precision>() -> Vec<Case<T>> {
    T::every_layer()
}

/// A precision that the list is compiled for, once, in this crate.
pub trait Precision: Real {
    /// Every layer.
    fn every_layer() -> Vec<Case<Self>>;

    /// See [`registry`].
    fn registry() -> Registry;
}

impl Precision for f64 {
    fn every_layer() -> Vec<Case<Self>> {
        let cases = [
            activations::cases(),
            attention::cases(),
            convolution::cases(),
            dense::cases(),
            embedding::cases(),
            merge::cases(),
            merge::code(),
            normalization::cases(),
            pooling::cases(),
            recurrent::cases(),
            regularization::cases(),
            shape::cases(),
        ];
        cases.into_iter().flatten().collect()
    }

    fn registry() -> Registry {
        with_pixelwise::<Self>()
    }
}

impl Precision for f32 {
    /// Those of double precision, built once more from their descriptions: with the layers that have been compiled with their crate.
    fn every_layer() -> Vec<Case<Self>> {
        let registry = Self::registry();
        let mut code = merge::code::<Self>();
        let single = |case: Case<f64>| {
            if let Some(index) = code.iter().position(|code| code.name == case.name) {
                return code.swap_remove(index);
            }
            let layers = Sequential::from_description(&case.layers.describe(), &registry);
            let layers = layers.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let Case { name, layer, input, value, ids, whole_batch, .. } = case;
            Case { name, layers, layer, input, value, ids, whole_batch }
        };
        f64::every_layer().into_iter().map(single).collect()
    }

    fn registry() -> Registry {
        with_pixelwise::<Self>()
    }
}

fn with_pixelwise<T: Real>() -> Registry {
    let mut registry = chainrule_layers::registry::<T>();
    register!(registry, AnyLayer<T>, AnyLayer::new; recurrent::Pixelwise);
    registry
}
