//! A network with its parameters.

use std::path::Path;

use chainrule_core::{Entry, Layer, ParamKind, Plan, Sequential, SequentialCache, ShapeError, ValueError};
use chainrule_optim::Optimizer;
use chainrule_tensor::{Buffer, Real, Seed, Shape};
use ndarray::{Array2, ArrayView2};
use sha2::{Digest, Sha256};

use crate::file::{self, FileError};
use crate::lead::Lead;
use crate::pieces::Pieces;
use crate::{Predictor, Summary, TrainingBytes};

/// A network: its layers, planned for samples of one shape, and their parameters.
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_layers::{Dense, Relu};
/// use chainrule_tensor::Seed;
/// use chainrule_train::Model;
/// let model = Model::new([4], Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3)), Seed(0))?;
/// assert_eq!(model.parameters().len(), 4 * 8 + 8 + 8 * 3 + 3);
/// assert_eq!(model.predict(ndarray::Array2::zeros((10, 4)).view())?.dim(), (10, 3));
/// println!("{}", model.summary());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Model<T: Real> {
    layers: Sequential<T>,
    pub(crate) input: Shape,
    pub(crate) output: Shape,
    plan: std::sync::Arc<Plan>,
    /// As `plan` returned it; every replica starts from a copy.
    pub(crate) cache: SequentialCache<T>,
    pub(crate) parameters: Buffer<T>,
}

impl<T: Real> Model<T> {
    /// Plans `layers` for samples of shape `input`, and draws their first parameters from `seed`.
    ///
    /// # Errors
    ///
    /// [`ModelError::Shape`] names the layer that cannot take what the layer before it gives, and
    /// [`ModelError::Memory`] says how many bytes parameters take for which there is no memory.
    pub fn new(input: impl Into<Shape>, layers: Sequential<T>, seed: Seed) -> Result<Self, ModelError> {
        let (input, mut plan) = (input.into(), Plan::new());
        let (output, cache) = layers.plan(input, &mut plan)?;
        let size = plan.size();
        let none = || ModelError::Memory { parameters: size, bytes: size.saturating_mul(size_of::<T>()) };
        let mut parameters = Buffer::try_zeros(size).ok_or_else(none)?;
        plan.try_init(seed, &mut parameters).map_err(|_| none())?;
        Ok(Self { layers, input, output, plan: plan.into(), cache, parameters })
    }

    /// The shape of a sample.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The shape of the output for one sample.
    pub fn output(&self) -> Shape {
        self.output
    }

    /// What the layers declared: each parameter's name, shape, kind and place, and a row for each layer.
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
        for parameter in self.parameters.iter() {
            match T::NAME {
                // A number of single precision is exact in double, so the cast back loses nothing.
                "f32" => hash.update((parameter.as_f64() as f32).to_le_bytes()),
                _ => hash.update(parameter.as_f64().to_le_bytes()),
            }
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The outputs, `[rows, size of the output]`, for the samples in the rows of `x`.
    ///
    /// It allocates the memory of the pass anew each time, and states that layers carry begin anew: take many rows at
    /// once, or a [`predictor`](Self::predictor).
    ///
    /// # Errors
    ///
    /// [`PredictError`] if the rows have not the size of a sample, or a value that the first layer cannot take.
    pub fn predict(&self, x: ArrayView2<'_, T>) -> Result<Array2<T>, PredictError> {
        let mut predictor = self.predictor();
        predictor.check(x)?;
        let mut y = Array2::zeros((x.nrows(), self.output.size()));
        predictor.run(x, y.view_mut());
        Ok(y)
    }

    /// Memory for many predictions, between which layers may carry a state.
    pub fn predictor(&self) -> Predictor<'_, T> {
        Predictor::new(self)
    }

    /// The layers, their output shapes and parameters as a table.
    pub fn summary(&self) -> Summary {
        let trained = |entry: &&Entry| entry.kind.is_trained();
        Summary {
            input: self.input,
            rows: self.plan.layers().to_vec(),
            parameters: self.parameters.len(),
            trained: self.plan.entries().iter().filter(trained).map(|entry| entry.range.len()).sum(),
            flops: self.plan.total_flops(),
            memory: self.plan.total_memory(),
            number: size_of::<T>(),
            batch: None,
            sample: self.sample(),
        }
    }

    /// The bytes that training this model takes with batches of so many samples, cut into so many shards.
    ///
    /// That is what the trainer allocates, not the data set. Samples whose activations no layer keeps (as
    /// [`Layer::is_identity`] says) are counted all the same, so it can be less. An evaluation takes 256 samples a shard at a
    /// time, and so perhaps more than a step.
    ///
    /// ```
    /// # use chainrule_core::Sequential;
    /// # use chainrule_layers::{Dense, Relu};
    /// # use chainrule_tensor::Seed;
    /// # use chainrule_train::Model;
    /// let model = Model::new([4], Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3)), Seed(0))?;
    /// let bytes = model.training_bytes(32, 2, &chainrule_optim::adam(1e-3));
    /// assert_eq!((bytes.parameters, bytes.optimizer), (4 * 67, 4 * 2 * 67));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn training_bytes(
        &self,
        batch_size: usize,
        shards: usize,
        optimizer: &dyn Optimizer<T>,
    ) -> TrainingBytes {
        let shards = shards.min(batch_size).max(1);
        // The first layer that has parameters is given no gradient to pass on.
        let layer = |entry: &Entry| entry.name.split('.').next().map(str::to_owned);
        let entries = self.plan.entries();
        let passes_on = |entry: &&Entry| layer(entry) != entries.first().and_then(layer);
        let frozen = entries.iter().filter(|entry| entry.kind == ParamKind::Frozen).filter(passes_on);
        let frozen: usize = frozen.map(|entry| entry.range.len()).sum();
        let lead = Lead::new(self, batch_size, shards);
        let count = |values: usize, each: usize| (values as u64).saturating_mul(each as u64);
        let (parameters, inputs) = (self.parameters.len(), self.input.size());
        // Of each shard, of a piece on each thread, of all shards together where the optimizer wants to see that, and room
        // for those of frozen parameters in the cache of each shard.
        let gradients = [
            count(shards, parameters),
            count(shards, Pieces::new(&self.plan, &self.cache, optimizer).longest()),
            count(usize::from(optimizer.needs_all_gradients()), parameters),
            count(shards, frozen),
        ];
        // Where the first product is cut, each part has a product of the whole batch, and room for a sample.
        let products = lead.map_or(0, |lead| {
            count(lead.count(), lead.units.saturating_mul(batch_size).saturating_add(inputs))
        });
        let rows = shards.saturating_mul(batch_size.div_ceil(shards));
        let activations = self.sample().saturating_mul(rows as u64).saturating_add(products);
        let bytes = |values: u64| values.saturating_mul(size_of::<T>() as u64);
        TrainingBytes {
            parameters: bytes(parameters as u64),
            optimizer: bytes(count(optimizer.slots(), parameters)),
            gradients: bytes(gradients.into_iter().fold(0, u64::saturating_add)),
            activations: bytes(activations),
        }
    }

    /// How many values a sample takes in training: itself, what the layers make of it, and the gradient of the output.
    fn sample(&self) -> u64 {
        let ends = self.input.size().saturating_add(self.output.size());
        self.plan.total_memory().saturating_add(ends as u64)
    }

    /// Writes the model to a file, atomically: after an error the file is what it was before. See [`mod@file`].
    ///
    /// # Errors
    ///
    /// [`FileError`] with the path and what the system says.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        file::write(path.as_ref(), &file::Contents::of(self, None))
    }

    /// Reads a model that has these layers from a file.
    ///
    /// The file describes its architecture, and that is compared; it does not contain code, so the layers come
    /// from the program.
    ///
    /// # Errors
    ///
    /// [`FileError`] if it cannot be read, is damaged or cut, is of a newer version, or holds another architecture.
    pub fn load(path: impl AsRef<Path>, layers: Sequential<T>) -> Result<Self, FileError> {
        let path = path.as_ref();
        file::read(path)?.into_model(path, layers)
    }

    pub(crate) fn layers(&self) -> &Sequential<T> {
        &self.layers
    }

    /// An empty cache for one replica.
    pub(crate) fn cache(&self) -> SequentialCache<T> {
        self.cache.clone()
    }
}

/// Layers that make no model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A layer cannot take what it is given.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// There is no memory for the parameters, or for the largest of them in double precision while it is drawn.
    #[error(
        "the {parameters} parameters of the model take {bytes} bytes, more than the system has memory for: choose fewer units, take smaller samples, or use f32"
    )]
    Memory {
        /// How many there are.
        parameters: usize,
        /// How many bytes they take.
        bytes: usize,
    },
}

/// Samples that the model cannot take.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PredictError {
    /// They are not of the model's shape.
    #[error("the rows have {columns} values, but a sample of shape {input} has {}", input.size())]
    Columns {
        /// How many values a row has.
        columns: usize,
        /// The shape of a sample.
        input: Shape,
    },
    /// One of them has a value that the first layer cannot take.
    #[error(transparent)]
    Value(#[from] ValueError),
}
