//! Models as ONNX graphs, in single precision, for one operator set that runtimes have had for years.
//!
//! A layer is what stands for it in evaluation. The axis of the batch is free: a graph takes any number of samples, each of the shape
//! of the model's.
//!
//! Source: the operators of opset 17, `onnx/docs/Operators.md`.

mod activations;
mod attention;
mod containers;
mod convolution;
mod dense;
mod merge;
mod normalization;
mod operators;
mod pooling;
mod proto;
mod read;
mod recurrent;
mod reparametrization;
mod sequences;
mod shape;
mod transformer;
mod writer;

use std::io;
use std::path::{Path, PathBuf};

use chainrule_core::{Description, Plan, Value};
use chainrule_data::output;
use chainrule_tensor::Real;
use chainrule_train::Model;
use prost::Message;

use operators::layer;
use proto::{
    DimensionProto, ElementType, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use writer::{Attribute, Signal, Writer, ints};

use crate::site::{Refusal, Site};

pub use operators::{OnnxForm, onnx_forms};
pub use read::{OnnxModel, OnnxReadError};

/// The operator set of the graphs that are written, and the version of the format that has it.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

const INPUT: &str = "input";
const OUTPUT: &str = "output";

/// A file cannot be larger in this encoding.
const MAX_BYTES: usize = i32::MAX as usize;

/// Writes models as ONNX files.
///
/// The input is called `input` and the output `output`; both have an axis `batch` of any length before those of a sample. Numbers are in
/// single precision. Constants are called as the parameters, `0.weight`.
///
/// ```
/// use chainrule_core::Sequential;
/// use chainrule_interop::OnnxExport;
/// use chainrule_layers::{Dense, Relu};
/// use chainrule_train::Model;
///
/// let layers = Sequential::new().then(Dense::new(8)).then(Relu).then(Dense::new(3));
/// let model = Model::new([4], layers, 0)?;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("model.onnx");
/// OnnxExport::new().softmax(true).write(&model, &path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct OnnxExport {
    softmax: Option<bool>,
}

impl OnnxExport {
    /// Of models as they are.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the graph ends with a softmax, whatever the model ends with: one is appended to logits, or left out after them.
    #[must_use]
    pub fn softmax(self, softmax: bool) -> Self {
        Self { softmax: Some(softmax) }
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`OnnxError`] names the layer that ONNX cannot express and why, or the system's error.
    pub fn write<T: Real>(&self, model: &Model<T>, path: impl AsRef<Path>) -> Result<(), OnnxError> {
        let path = path.as_ref();
        let bytes = self.to_bytes(model)?;
        output::write(path, |file| file.write_all(&bytes))
            .map_err(|source| OnnxError::Io { path: path.to_owned(), source })
    }

    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// [`OnnxError`], as for [`write`](Self::write).
    pub fn to_bytes<T: Real>(&self, model: &Model<T>) -> Result<Vec<u8>, OnnxError> {
        self.parameters_to_bytes((&model.describe(), model.plan()), &model.input(), model.parameters())
    }

    /// The bytes of a file of layers with this description and this plan, for samples of shape `input`, whose flat parameters these
    /// are.
    ///
    /// # Errors
    ///
    /// [`OnnxError`], as for [`write`](Self::write).
    ///
    /// # Panics
    ///
    /// If there are fewer parameters than the plan has.
    pub fn parameters_to_bytes<T: Real>(
        &self,
        (description, plan): (&Description, &Plan),
        input: &[usize],
        parameters: &[T],
    ) -> Result<Vec<u8>, OnnxError> {
        let description = self.ended(description);
        let parameters = parameters.iter().map(|value| value.as_f64()).collect();
        let mut writer = Writer::new(plan, parameters, &[INPUT, OUTPUT]);
        let x = Signal { name: INPUT.to_owned(), shape: input.to_vec() };
        let site = Site { path: String::new(), description: description.clone() };
        let y = layer(&mut writer, &site, &[x]).map_err(|Refusal { layer, reason }| {
            let (path, layer) = layer.unwrap_or_default();
            OnnxError::Layer { path, layer, reason }
        })?;
        let y = self.softmax_of(&mut writer, &description, y);
        let output_shape = y.shape.clone();
        rename(&mut writer, y);
        let Writer { nodes, initializers, .. } = writer;
        let graph = GraphProto {
            node: nodes,
            name: Some("chainrule".to_owned()),
            initializer: initializers,
            input: vec![value(INPUT, input)],
            output: vec![value(OUTPUT, &output_shape)],
        };
        let entry = |key: &str, value: String| StringStringEntryProto {
            key: Some(key.to_owned()),
            value: Some(value),
        };
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            producer_name: Some("chainrule".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(graph),
            opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
            metadata_props: vec![entry("chainrule.layers", description.to_string())],
        };
        match model.encoded_len() {
            bytes if bytes > MAX_BYTES => Err(OnnxError::TooLarge { bytes }),
            _ => Ok(model.encode_to_vec()),
        }
    }

    /// The layers without a softmax at their end, if there shall be none.
    fn ended(&self, description: &Description) -> Description {
        let mut description = description.clone();
        if self.softmax == Some(false)
            && let Some((_, Value::List(layers))) = description.settings.first_mut()
            && layers.last().is_some_and(is_softmax)
        {
            layers.pop();
        }
        description
    }

    /// The probabilities, if there shall be some and are none yet.
    fn softmax_of(&self, writer: &mut Writer<'_>, description: &Description, y: Signal) -> Signal {
        let ends = match description.settings.first() {
            Some((_, Value::List(layers))) => layers.last().is_some_and(is_softmax),
            _ => false,
        };
        if self.softmax != Some(true) || ends {
            return y;
        }
        writer.path = "end".to_owned();
        writer.like(&y, "Softmax", &[&y.name], vec![Attribute::Int("axis", -1)])
    }
}

fn is_softmax(layer: &Value) -> bool {
    layer.to_description().is_some_and(|layer| layer.name == "softmax")
}

/// Gives the last value the name of the output.
fn rename(writer: &mut Writer<'_>, y: Signal) {
    writer.path.clear();
    if y.name == INPUT {
        let node = NodeProto {
            input: vec![y.name],
            output: vec![OUTPUT.to_owned()],
            name: Some("identity".to_owned()),
            op_type: Some("Identity".to_owned()),
            attribute: Vec::new(),
        };
        return writer.nodes.push(node);
    }
    for node in &mut writer.nodes {
        let names = node.input.iter_mut().chain(&mut node.output);
        names.filter(|name| **name == y.name).for_each(|name| *name = OUTPUT.to_owned());
    }
}

/// What goes in or out: any number of samples of this shape.
fn value(name: &str, shape: &[usize]) -> ValueInfoProto {
    let batch = DimensionProto { dim_value: None, dim_param: Some("batch".to_owned()) };
    let axis = |length| DimensionProto { dim_value: Some(length), dim_param: None };
    let dim = [batch].into_iter().chain(ints(shape.iter().copied()).into_iter().map(axis)).collect();
    let tensor =
        TensorTypeProto { elem_type: Some(ElementType::Float.into()), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: Some(name.to_owned()), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

/// A model that cannot be written as an ONNX graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// A layer that cannot be expressed.
    #[error("layer {path}, {layer}, cannot be written as ONNX: {reason}")]
    Layer {
        /// Its path.
        path: String,
        /// Its name.
        layer: String,
        /// Why.
        reason: String,
    },
    /// The file would be larger than its encoding can be.
    #[error(
        "the model takes {bytes} bytes as ONNX, but a file holds at most {MAX_BYTES}: write its weights as safetensors"
    )]
    TooLarge {
        /// How many bytes it takes.
        bytes: usize,
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
