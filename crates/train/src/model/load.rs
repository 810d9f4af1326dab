//! Models to files and back.

use std::io::Read;
use std::path::Path;

use chainrule_core::{Described, Description, LayerInfo, Plan, Registry, Sequential};
use chainrule_tensor::{Buffer, Real, Shape};

use super::contents::{CHUNK, Contents, Parameters, Training};
use super::difference::first_difference;
use super::encoding::DecodeError;
use super::file::{ContentsError, FileError, PayloadReader, read_contents, write_contents};
use super::model::Model;
use crate::numbers::{bytes, numbers};

impl<T: Real> Model<T> {
    /// Writes the model to a file, whole or not at all: after an error the file is unchanged. See [`mod@crate::file`] and
    /// [`chainrule_data::output::write`].
    ///
    /// # Errors
    ///
    /// [`FileError`] with the path and the system's error.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        write_contents(path.as_ref(), 1, &Contents::with(self, Parameters(self.parameters()), None))
    }

    /// Reads a model from a file, which says what its layers are.
    ///
    /// ```
    /// use chainrule_core::{Layer, Sequential};
    /// use chainrule_layers::{Dense, Flatten, Relu};
    /// use chainrule_tensor::Seed;
    /// use chainrule_train::Model;
    ///
    /// let layers = Sequential::new().then(Flatten).then(Dense::new(8)).then(Relu).then(Dense::new(3));
    /// let model = Model::new([4, 4], layers, Seed(0))?;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("model.chainrule");
    /// model.save(&path)?;
    /// let loaded = Model::<f32>::load(&path)?;
    /// assert_eq!(loaded.describe(), model.describe());
    /// assert_eq!(loaded.parameters(), model.parameters());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// All layers of this workspace can be built so, except [`Lambda`](chainrule_core::Lambda), which is code. For layers of your
    /// own, [`load_with`](Self::load_with) takes a registry that has them, and [`load_into`](Self::load_into) the layers themselves.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read, is damaged or truncated, has another version or element type, or does not
    /// describe layers that can be built and have its parameters.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::load_with(path, &chainrule_layers::registry::<T>())
    }

    /// As [`load`](Self::load), whichever element type the file has: its numbers become those of `T`, rounded to the nearest.
    ///
    /// ```
    /// # use chainrule_core::{New, Sequential};
    /// # use chainrule_layers::Dense;
    /// # use chainrule_tensor::Seed;
    /// # use chainrule_train::Model;
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("model");
    /// let double = Model::new([3], Sequential::<f64>::new().then(Dense::new(2)), Seed(0))?;
    /// double.save(&path)?;
    /// let single = Model::<f32>::load_converted(&path)?;
    /// assert_eq!(single.parameters()[0], double.parameters()[0] as f32);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), and [`FileError::Range`] if a number is beyond those of `T`.
    pub fn load_converted(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let (contents, _) = read_contents(path, |number, payload| match number {
            "f32" => parameters::<f32, T>(path, payload),
            "f64" => parameters::<f64, T>(path, payload),
            _ => Err(DecodeError::Invalid.into()),
        })?;
        Self::from_contents(path, contents, &chainrule_layers::registry::<T>())
    }

    /// Reads a model from a file whose layers this registry has.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load).
    pub fn load_with(path: impl AsRef<Path>, registry: &Registry) -> Result<Self, FileError> {
        let path = path.as_ref();
        let (contents, _) = read_model(path)?;
        Self::from_contents(path, contents, registry)
    }

    fn from_contents(
        path: &Path,
        contents: Contents<Buffer<T>>,
        registry: &Registry,
    ) -> Result<Self, FileError> {
        let not_described = || FileError::NotDescribed { path: path.to_owned() };
        let layers = |source| FileError::Layers { path: path.to_owned(), source };
        let description = contents.description.as_deref().ok_or_else(not_described)?;
        let description: Description = description.parse().map_err(layers)?;
        let layers = Sequential::from_description(&description, registry).map_err(layers)?;
        contents.into_model(path, layers, Origin::File)
    }

    /// Reads the parameters of a model with these layers from a file.
    ///
    /// What the file says about its layers is compared with them.
    ///
    /// # Errors
    ///
    /// [`FileError`] if the file cannot be read, is damaged or truncated, has another version or element type, or holds
    /// another architecture.
    pub fn load_into(path: impl AsRef<Path>, layers: Sequential<T>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let (contents, _) = read_model(path)?;
        contents.into_model(path, layers, Origin::Program)
    }
}

/// Where the layers of a model come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The file that holds their parameters, which may deceive.
    File,
    /// The program.
    Program,
}

/// How many times as many layers as a file lists may be planned: wrappers plan a layer more than once.
const PLANNED_PER_LAYER: usize = 16;

/// Reads a file with parameters of this element type, into the memory that the model will have them in.
pub(crate) fn read_model<T: Real>(path: &Path) -> Result<(Contents<Buffer<T>>, bool), FileError> {
    read_contents(path, |number, payload| {
        if number != T::NAME {
            let what = format!("it has {number} parameters, but {} are expected", T::NAME);
            return Err(FileError::Architecture { path: path.to_owned(), what }.into());
        }
        parameters::<T, T>(path, payload)
    })
}

/// Reads parameters of type `S`, which the file has, as numbers of type `T`.
fn parameters<S: Real, T: Real>(
    path: &Path,
    payload: &mut PayloadReader,
) -> Result<Buffer<T>, ContentsError> {
    let length = payload.length()?;
    let count = length / size_of::<S>();
    let mut parameters = Buffer::<T>::try_zeros(count).ok_or(DecodeError::Memory)?;
    let mut bytes = vec![0; length.min(CHUNK * size_of::<S>())];
    let mut unlike = if S::NAME == T::NAME { Vec::new() } else { vec![S::zero(); count.min(CHUNK)] };
    for values in parameters.chunks_mut(CHUNK) {
        let bytes = &mut bytes[..values.len() * size_of::<S>()];
        payload.read_exact(bytes).map_err(|_| DecodeError::Invalid)?;
        if S::NAME == T::NAME {
            numbers(bytes, values).ok_or(DecodeError::Invalid)?;
            continue;
        }
        let unlike = &mut unlike[..values.len()];
        numbers(bytes, unlike).ok_or(DecodeError::Invalid)?;
        for (to, from) in values.iter_mut().zip(unlike) {
            let value = from.as_f64();
            *to = T::of(value);
            if value.is_finite() && !to.is_finite() {
                return Err(FileError::Range { path: path.to_owned(), value, number: T::NAME }.into());
            }
        }
    }
    if count * size_of::<S>() < length {
        let what = "its parameters do not have the number of bytes of these layers'".into();
        return Err(FileError::Architecture { path: path.to_owned(), what }.into());
    }
    Ok(parameters)
}

impl Contents {
    pub(crate) fn of<T: Real>(model: &Model<T>, training: Option<Training>) -> Self {
        Self::with(model, bytes(model.parameters()), training)
    }
}

impl<P> Contents<P> {
    /// Those of a model, with its parameters in this form.
    fn with<T: Real>(model: &Model<T>, parameters: P, training: Option<Training>) -> Self {
        Self {
            number: T::NAME.to_owned(),
            input: model.input().to_vec(),
            layers: layers_of(model.plan(), |info| &info.label),
            entries: entries_of(model.plan()),
            parameters,
            training,
            position: None,
            epoch_weight: None,
            description: Some(model.describe().to_string()),
            record: None,
            notes: (!model.notes.is_empty()).then(|| model.notes.to_vec()),
        }
    }

    /// Compares the layers and their parameters with those of a plan.
    fn compare<T: Real>(&self, plan: &Plan, layers: &Sequential<T>, origin: Origin) -> Result<(), String> {
        match (&self.description, origin) {
            // They were built from it. What errors call a layer may be another text in another version.
            (_, Origin::File) => {
                let places = |layers: &[(String, String, Vec<usize>)]| {
                    let place =
                        |(path, _, output): &(String, String, Vec<usize>)| (path.clone(), output.clone());
                    layers.iter().map(place).collect::<Vec<_>>()
                };
                if places(&self.layers) != places(&layers_of(plan, |info| &info.label)) {
                    return Err("its layers are not those that it describes".into());
                }
            }
            (Some(description), Origin::Program) => {
                self.compare_layers(layers_of(plan, |info| &info.label))?;
                let found = description.parse::<Description>().map_err(|error| error.to_string())?;
                if let Some((found, expected)) = first_difference(&found, &layers.describe()) {
                    return Err(format!("it has {found} where the program has {expected}"));
                }
            }
            (None, Origin::Program) => self.compare_layers(layers_of(plan, |info| &info.layer))?,
        }
        if self.entries != entries_of(plan) {
            return Err("its parameters do not have the names and shapes of these layers'".into());
        }
        Ok(())
    }

    /// Compares the layers with those that are `expected`.
    fn compare_layers(&self, expected: Vec<(String, String, Vec<usize>)>) -> Result<(), String> {
        let count = self.layers.len().max(expected.len());
        let Some(index) = (0..count).find(|&index| self.layers.get(index) != expected.get(index)) else {
            return Ok(());
        };
        let name = |layers: &[(String, String, Vec<usize>)]| match layers.get(index) {
            Some((path, layer, _)) => format!("{path}: {layer}"),
            None => "nothing".to_owned(),
        };
        let found = name(&self.layers);
        let expected = name(&expected);
        Err(format!("it has the layer {found} where the program has {expected}"))
    }
}

impl<T: Real> Contents<Buffer<T>> {
    pub(crate) fn into_model(
        self,
        path: &Path,
        layers: Sequential<T>,
        origin: Origin,
    ) -> Result<Model<T>, FileError> {
        let differs = |what: String| FileError::Architecture { path: path.to_owned(), what };
        let input =
            Shape::new(&self.input).ok_or_else(|| differs("its samples have too many axes".into()))?;
        let plan = match origin {
            Origin::Program => Plan::new(),
            Origin::File => {
                Plan::limited(self.layers.len().saturating_add(1).saturating_mul(PLANNED_PER_LAYER))
            }
        };
        // Compared before the layers have memory of their own, since the file alone says how large a sample is.
        let planned = Model::plan_layers(input, layers, plan).map_err(|error| differs(error.to_string()))?;
        self.compare(planned.plan(), planned.layers(), origin).map_err(differs)?;
        if self.parameters.len() != planned.plan().size() {
            return Err(differs("its parameters do not have the number of bytes of these layers'".into()));
        }
        let mut model = planned.with(self.parameters);
        model.notes = self.notes.unwrap_or_default().into();
        Ok(model)
    }
}

/// The layers of a plan, as a file holds them, with this name of each.
fn layers_of(plan: &Plan, name: impl Fn(&LayerInfo) -> &String) -> Vec<(String, String, Vec<usize>)> {
    let layer = |row: &LayerInfo| (row.path.clone(), name(row).clone(), row.output.to_vec());
    plan.layers().iter().map(layer).collect()
}

/// The parameters of a plan, as a file holds them.
fn entries_of(plan: &Plan) -> Vec<(String, Vec<usize>)> {
    plan.entries().iter().map(|entry| (entry.name.clone(), entry.shape.to_vec())).collect()
}
