//! Models as source: one file of Rust or C, without dependencies and without allocation.
//!
//! The decision here: **the functions of a file are texts that also run here.** A model becomes a list of calls of a few dozen functions;
//! a file has those that it calls, the list, and the weights. Nothing generates code for a layer, so what is tested is what is shipped.

mod arrange;
mod c;
mod items;
#[allow(
    clippy::too_many_arguments,
    clippy::needless_range_loop,
    reason = "they are what an exported file contains"
)]
mod kernels;
mod layout;
mod lower;
mod program;
mod quantize;
mod run;
mod rust;

use std::io;
use std::path::{Path, PathBuf};

use chainrule_core::{Description, Plan, Value};
use chainrule_data::output;
use chainrule_tensor::Real;
use chainrule_train::Model;

use crate::site::Refusal;
use layout::Head;

pub use lower::{SourceForm, source_forms};

/// The language of an exported file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A module that needs only `core`.
    Rust,
    /// C99, with the headers of a freestanding implementation.
    C,
}

/// Writes models as source.
///
/// A file has one function, which predicts for a sample, and the memory that it needs is given by the caller. Numbers are in single
/// precision; layers are as in evaluation.
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_interop::{Language, SourceExport};
/// use chainrule_layers::{Dense, Relu};
/// use chainrule_train::Model;
///
/// let model = Model::new([4], Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3)), 0)?;
/// let source = SourceExport::new(Language::Rust).source(&model)?;
/// assert!(source.text.contains("pub fn predict(input: &[f32; INPUTS], output: &mut [f32; OUTPUTS]"));
/// assert_eq!((source.weight_bytes, source.memory_bytes), (4 * 67, 4 * 8));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct SourceExport<'a> {
    language: Language,
    name: String,
    calibration: Option<&'a [f32]>,
}

/// A file of source, and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// The text.
    pub text: String,
    /// How many bytes the constants take.
    pub weight_bytes: usize,
    /// How many bytes the memory of a prediction takes.
    pub memory_bytes: usize,
}

impl<'a> SourceExport<'a> {
    /// In this language, as `model`.
    pub fn new(language: Language) -> Self {
        Self { language, name: "model".to_owned(), calibration: None }
    }

    /// Under this name: in C, what the names of a file begin with.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }

    /// With weights of 8 bits. These samples, one after the other, say how large the values become that the weights multiply: a few
    /// hundred of the training data.
    #[must_use]
    pub fn quantized(self, samples: &'a [f32]) -> Self {
        Self { calibration: Some(samples), ..self }
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`SourceError`] names the layer that cannot be written and why, or the system's error.
    pub fn write<T: Real>(
        &self,
        model: &Model<T>,
        path: impl AsRef<Path>,
    ) -> Result<SourceFile, SourceError> {
        let path = path.as_ref();
        let source = self.source(model)?;
        output::write(path, |file| file.write_all(source.text.as_bytes()))
            .map_err(|source| SourceError::Io { path: path.to_owned(), source })?;
        Ok(source)
    }

    /// The text of a file.
    ///
    /// # Errors
    ///
    /// [`SourceError`], as for [`write`](Self::write).
    pub fn source<T: Real>(&self, model: &Model<T>) -> Result<SourceFile, SourceError> {
        self.source_of((&model.describe(), model.plan()), &model.input(), model.parameters())
    }

    /// The text of a file of layers with this description and this plan, for samples of shape `input`, whose flat parameters these
    /// are.
    ///
    /// # Errors
    ///
    /// [`SourceError`], as for [`write`](Self::write).
    ///
    /// # Panics
    ///
    /// If there are fewer parameters than the plan has.
    pub fn source_of<T: Real>(
        &self,
        (description, plan): (&Description, &Plan),
        input: &[usize],
        parameters: &[T],
    ) -> Result<SourceFile, SourceError> {
        self.check_name()?;
        for entry in plan.entries() {
            if parameters[entry.range.clone()].iter().any(|value| !(value.as_f64() as f32).is_finite()) {
                return Err(SourceError::NotFinite { parameter: entry.name.clone() });
            }
        }
        let parameters = parameters.iter().map(|value| value.as_f64()).collect();
        let mut program =
            lower::program((description, plan), input, parameters).map_err(|Refusal { layer, reason }| {
                let (path, layer) = layer.unwrap_or_default();
                SourceError::Layer { path, layer, reason }
            })?;
        if let Some(samples) = self.calibration {
            let size = program.slots[0].count;
            if samples.is_empty() || !samples.len().is_multiple_of(size) {
                return Err(SourceError::Calibration { values: samples.len(), size });
            }
            if let Some(index) = samples.iter().position(|value| !value.is_finite()) {
                return Err(SourceError::CalibrationNotFinite { sample: index / size });
            }
            program = quantize::quantized(program, samples);
        }
        let arrangement = arrange::arrange(&program);
        let weight_bytes = program.constants.iter().map(|constant| constant.array.bytes()).sum();
        let memory_bytes = 4 * arrangement.size + 2 * program.rounded();
        let head = Head {
            name: self.name.clone(),
            layers: layers(description),
            input: input.to_vec(),
            weight_bytes,
            memory_bytes,
            quantized: self.calibration.is_some(),
        };
        let text = match self.language {
            Language::Rust => rust::text(&program, &arrangement, &head),
            Language::C => c::text(&program, &arrangement, &head),
        };
        Ok(SourceFile { text, weight_bytes, memory_bytes })
    }

    fn check_name(&self) -> Result<(), SourceError> {
        let starts = self.name.starts_with(|c: char| c.is_ascii_alphabetic());
        let word = self.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if starts && word { Ok(()) } else { Err(SourceError::Name { name: self.name.clone() }) }
    }
}

/// The layers of a sequence, each as text; or the one that it is.
fn layers(description: &Description) -> Vec<String> {
    match description.get("layers") {
        Some(Value::List(layers)) => layers.iter().map(Value::to_string).collect(),
        _ => vec![description.to_string()],
    }
}

/// A model that cannot be written as source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A layer that cannot be written.
    #[error(
        "layer {path}, {layer}, cannot be written as source: {reason}; write the model as ONNX, or replace the layer by one that \
         docs/interop.md lists"
    )]
    Layer {
        /// Its path.
        path: String,
        /// Its name.
        layer: String,
        /// Why.
        reason: String,
    },
    /// A name that is none in Rust and C.
    #[error("{name:?} is no name in Rust and C: take letters, digits and underscores, and a letter first")]
    Name {
        /// It.
        name: String,
    },
    /// A parameter without a value in single precision.
    #[error(
        "the parameter {parameter} has values that are no finite numbers in single precision: train the model again"
    )]
    NotFinite {
        /// Its name.
        parameter: String,
    },
    /// Samples for calibration that are none of the model.
    #[error("the samples for calibration have {values} values, which is not one or more samples of {size}")]
    Calibration {
        /// How many values there are.
        values: usize,
        /// How many a sample has.
        size: usize,
    },
    /// A sample for calibration that is not finite.
    #[error("sample {sample} for calibration has values that are no finite numbers: leave it out")]
    CalibrationNotFinite {
        /// Its index.
        sample: usize,
    },
    /// The system reports an error.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}
