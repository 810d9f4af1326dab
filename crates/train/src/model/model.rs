//! A network with its parameters.

use std::sync::Arc;

use chainrule_core::{
    Described, Description, DescriptionError, Layer, Plan, Sequential, SequentialCache, ShapeError,
};
use chainrule_tensor::{Buffer, Real, Seed, Shape};
use sha2::{Digest, Sha256};

use super::contents::CHUNK;
use crate::numbers;

/// A network: its layers, planned for samples of one shape, and their parameters.
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_layers::{Dense, Relu};
/// use chainrule_tensor::Seed;
/// use chainrule_train::Model;
/// use ndarray::Array2;
///
/// let layers = Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3));
/// let model = Model::new([4], layers, Seed(0))?;
/// assert_eq!(model.parameters().len(), 4 * 8 + 8 + 8 * 3 + 3);
/// assert_eq!(model.predict(Array2::zeros((10, 4)).view())?.dim(), (10, 3));
/// println!("{}", model.summary());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model<T: Real> {
    pub(crate) layers: Sequential<T>,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    plan: Arc<Plan>,
    /// As `plan` returned it; each shard and predictor starts from a copy.
    pub(crate) cache: SequentialCache<T>,
    pub(crate) parameters: Buffer<T>,
    pub(crate) notes: Arc<[(String, String)]>,
}

impl<T: Real> Model<T> {
    /// Plans `layers` for samples of shape `input`, and draws their initial parameters from `seed`, a [`Seed`] or a number.
    ///
    /// # Errors
    ///
    /// [`ModelError::Shape`] names the layer that does not accept the output of the layer before it, and
    /// [`ModelError::Memory`] says how many bytes the parameters need if the system does not have them.
    pub fn new(
        input: impl Into<Shape>,
        layers: Sequential<T>,
        seed: impl Into<Seed>,
    ) -> Result<Self, ModelError> {
        let planned = Self::plan_layers(input.into(), layers, Plan::new())?;
        let mut parameters = planned.parameters()?;
        planned.plan.try_init(seed.into(), &mut parameters).map_err(|_| planned.no_memory())?;
        Ok(planned.with(parameters))
    }

    /// The model of a description of its layers, such as `flatten then dense(64) then relu then dense(10)`, with initial
    /// parameters from `seed`.
    ///
    /// ```
    /// use chainrule_tensor::Seed;
    /// use chainrule_train::Model;
    /// let description = "flatten then dense(64) then relu then dense(10)".parse()?;
    /// let model = Model::<f32>::from_description([28, 28], &description, Seed(0))?;
    /// assert_eq!(model.output(), [10].into());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The layers are those of [`chainrule_layers::registry`]. With a registry of your own,
    /// [`Sequential::from_description`] builds the layers for [`new`](Self::new).
    ///
    /// # Errors
    ///
    /// [`ModelError::Description`] if the layers cannot be built, and those of [`new`](Self::new).
    pub fn from_description(
        input: impl Into<Shape>,
        description: &Description,
        seed: impl Into<Seed>,
    ) -> Result<Self, ModelError> {
        let registry = chainrule_layers::registry::<T>();
        Self::new(input, Sequential::from_description(description, &registry)?, seed)
    }

    /// What the layers are, from which [`from_description`](Self::from_description) builds them again.
    pub fn describe(&self) -> Description {
        self.layers.describe()
    }

    /// Plans `layers` for samples of shape `input`.
    pub(crate) fn plan_layers(
        input: Shape,
        layers: Sequential<T>,
        mut plan: Plan,
    ) -> Result<PlannedModel<T>, ShapeError> {
        let (output, cache) = layers.plan(input, &mut plan)?;
        Ok(PlannedModel { layers, input, output, plan, cache })
    }

    /// The shape of a sample.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The shape of the output for one sample.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// What the layers declared: the name, shape, kind and position of each parameter, and a row for each layer.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// All parameters, as one flat slice in the order of [`Plan::entries`].
    pub fn parameters(&self) -> &[T] {
        &self.parameters
    }

    /// All parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [T] {
        &mut self.parameters
    }

    /// The values of the parameter with this name, such as `"0.weight"`.
    pub fn parameter(&self, name: &str) -> Option<&[T]> {
        let entry = self.plan.entries().iter().find(|entry| entry.name == name)?;
        Some(&self.parameters[entry.range.clone()])
    }

    /// The SHA-256 of the parameters (little-endian, in order), in hexadecimal: equal if and only if every bit is.
    pub fn parameters_sha256(&self) -> String {
        let mut hash = Sha256::new();
        let mut bytes = Vec::new();
        for parameters in self.parameters.chunks(CHUNK) {
            bytes.clear();
            numbers::append(parameters, &mut bytes);
            hash.update(&bytes);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Notes something that belongs to the model, such as the names of its classes, under a name: files of the model and of its
    /// training hold it. It replaces what was noted under that name.
    ///
    /// ```
    /// use chainrule_core::Sequential;
    /// use chainrule_layers::Dense;
    /// use chainrule_tensor::Seed;
    /// use chainrule_train::Model;
    ///
    /// let model = Model::<f32>::new([4], Sequential::new().then(Dense::new(2)), Seed(0))?.note("classes", "oak, elm");
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("model.chainrule");
    /// model.save(&path)?;
    /// assert_eq!(Model::<f32>::load(&path)?.noted("classes"), Some("oak, elm"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn note(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        let name = name.into();
        let others = self.notes.iter().filter(|(known, _)| *known != name).cloned();
        self.notes = others.chain([(name.clone(), text.into())]).collect();
        self
    }

    /// What was noted of the model, by name.
    pub fn notes(&self) -> &[(String, String)] {
        &self.notes
    }

    /// What was noted under this name.
    pub fn noted(&self, name: &str) -> Option<&str> {
        self.notes.iter().find(|(known, _)| known == name).map(|(_, text)| &**text)
    }

    pub(crate) fn layers(&self) -> &Sequential<T> {
        &self.layers
    }

    /// A cache that no pass has used.
    pub(crate) fn cache(&self) -> SequentialCache<T> {
        self.cache.clone()
    }

    /// The number of values that a sample takes in training: itself, what the layers compute and keep, and the gradient of
    /// the output.
    pub(crate) fn values_per_sample(&self) -> u64 {
        let ends = self.input.size().saturating_add(self.output.size());
        self.plan.total_memory().saturating_add(ends as u64)
    }
}

/// A network that is planned, without memory for its parameters yet.
pub(crate) struct PlannedModel<T: Real> {
    layers: Sequential<T>,
    input: Shape,
    output: Shape,
    plan: Plan,
    cache: SequentialCache<T>,
}

impl<T: Real> PlannedModel<T> {
    pub(crate) fn layers(&self) -> &Sequential<T> {
        &self.layers
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Memory for the parameters, all of them 0.
    pub(crate) fn parameters(&self) -> Result<Buffer<T>, ModelError> {
        Buffer::try_zeros(self.plan.size()).ok_or_else(|| self.no_memory())
    }

    /// The model with these parameters.
    pub(crate) fn with(self, parameters: Buffer<T>) -> Model<T> {
        let Self { layers, input, output, plan, cache } = self;
        Model { layers, input, output, plan: plan.into(), cache, parameters, notes: Arc::default() }
    }

    fn no_memory(&self) -> ModelError {
        let parameters = self.plan.size();
        ModelError::Memory { parameters, bytes: parameters.saturating_mul(size_of::<T>()) }
    }
}

/// Layers that do not make a model.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A layer does not accept its input.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The layers that are described cannot be built.
    #[error(transparent)]
    Description(#[from] DescriptionError),
    /// There is not enough memory for the parameters, or for the largest of them in double precision while it is drawn.
    #[error(
        "the {parameters} parameters of the model take {bytes} bytes, more than the system has memory for: use fewer units, smaller samples, or f32"
    )]
    Memory {
        /// The number of parameters.
        parameters: usize,
        /// How many bytes they take.
        bytes: usize,
    },
}
