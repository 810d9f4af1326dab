//! Graphs of others: the layers that their operators are, with the weights.

mod adaptive;
mod assembly;
mod attention;
mod axes;
mod builder;
mod constant;
mod folding;
mod formulas;
mod lengths;
mod moves;
mod node;
mod norms;
mod operators;
mod products;
mod recurrent;
mod repeats;
mod view;
mod windows;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use chainrule_core::{Description, Registry, Sequential};
use chainrule_tensor::{Real, Shape};
use chainrule_train::{Model, ModelError};
use prost::Message;

use super::proto::{ElementType, ModelProto, NodeProto, ValueInfoProto};
use crate::layout::Names;
use crate::load::{LoadError, Loading};
use crate::state_dict::StateDict;

use builder::Builder;

/// The operator sets that are read.
const OPSETS: std::ops::RangeInclusive<i64> = 9..=25;

/// A model of an ONNX file: its layers as a description, and their weights under our names.
///
/// It can be trained on: a graph in evaluation has no dropout, which is to be put in again.
///
/// ```no_run
/// use chainrule_interop::OnnxModel;
/// let onnx = OnnxModel::read("lenet.onnx")?;
/// println!("{} of {}", onnx.description(), onnx.input());
/// let model = onnx.model::<f32>()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct OnnxModel {
    description: Description,
    input: Shape,
    weights: StateDict,
}

impl OnnxModel {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`OnnxReadError`] if it cannot be read or is no model, and with the name of a node whose operator, or a setting of it, no layer
    /// is.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, OnnxReadError> {
        let path = path.as_ref();
        let bytes =
            std::fs::read(path).map_err(|source| OnnxReadError::Io { path: path.to_owned(), source })?;
        Self::from_bytes(&bytes)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    ///
    /// [`OnnxReadError`], as for [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OnnxReadError> {
        let wrong = |problem: &str| OnnxReadError::Format { problem: problem.to_owned() };
        let model = ModelProto::decode(bytes).map_err(|error| wrong(&error.to_string()))?;
        let opset = model
            .opset_import
            .iter()
            .find(|set| matches!(set.domain.as_deref(), None | Some("" | "ai.onnx")));
        let opset = opset.and_then(|set| set.version).ok_or_else(|| wrong("it names no set of operators"))?;
        if !OPSETS.contains(&opset) {
            let problem =
                format!("it is of opset {opset}, but {} to {} are read", OPSETS.start(), OPSETS.end());
            return Err(OnnxReadError::Format { problem });
        }
        let graph = model.graph.ok_or_else(|| wrong("it has no graph"))?;
        let mut builder = Builder::new(opset, bytes.len());
        builder.constants(graph.initializer).map_err(|problem| wrong(&problem))?;
        for input in &graph.input {
            let name = input.name.clone().unwrap_or_default();
            if !builder.is_known(&name) {
                let (shape, batch) =
                    sample(input).map_err(|problem| wrong(&format!("its input {name:?}: {problem}")))?;
                builder.input(name, shape, batch);
            }
        }
        let outputs: Vec<String> = graph.output.into_iter().filter_map(|output| output.name).collect();
        let nodes = needed(graph.node, &outputs);
        builder.count_uses(&nodes, &outputs);
        for node in nodes {
            let (name, operator) = (node.name.clone(), node.op_type.clone().unwrap_or_default());
            let name =
                name.filter(|name| !name.is_empty()).or(node.output.first().cloned()).unwrap_or_default();
            builder.node(node).map_err(|reason| OnnxReadError::Node { name, operator, reason })?;
        }
        let (description, input, weights) = builder.finish(&outputs).map_err(|problem| wrong(&problem))?;
        Ok(Self { description, input, weights })
    }

    /// The layers.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The shape of a sample.
    pub fn input(&self) -> Shape {
        self.input
    }

    /// The weights and running statistics, under our names.
    pub fn weights(&self) -> &StateDict {
        &self.weights
    }

    /// The model, with the layers of [`chainrule_layers::registry`].
    ///
    /// # Errors
    ///
    /// [`OnnxReadError::Model`] if the layers cannot be planned, [`OnnxReadError::Weights`] if the weights are not theirs.
    pub fn model<T: Real>(&self) -> Result<Model<T>, OnnxReadError> {
        self.model_with(&chainrule_layers::registry::<T>())
    }

    /// The model, with the layers of this registry.
    ///
    /// # Errors
    ///
    /// Those of [`model`](Self::model).
    pub fn model_with<T: Real>(&self, registry: &Registry) -> Result<Model<T>, OnnxReadError> {
        let layers = Sequential::from_description(&self.description, registry).map_err(ModelError::from);
        let mut model =
            Model::new(self.input, layers.map_err(OnnxReadError::Model)?, 0).map_err(OnnxReadError::Model)?;
        let loading = Loading::new(Names::Chainrule).rounded();
        loading.load(&self.weights, &mut model).map_err(OnnxReadError::Weights)?;
        Ok(model)
    }
}

/// The nodes that outputs depend on; each is after those that it depends on.
fn needed(nodes: Vec<NodeProto>, outputs: &[String]) -> Vec<NodeProto> {
    let mut names: BTreeSet<String> = outputs.iter().cloned().collect();
    let mut needed = Vec::new();
    for node in nodes.into_iter().rev() {
        if node.output.iter().any(|output| names.contains(output)) {
            names.extend(node.input.iter().filter(|name| !name.is_empty()).cloned());
            needed.push(node);
        }
    }
    needed.reverse();
    needed
}

/// The shape of a sample of an input, whose first axis is that of the batch, and the length of that if it is not free.
fn sample(input: &ValueInfoProto) -> Result<(Shape, Option<i64>), String> {
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref()).ok_or("it is no tensor")?;
    let kind = tensor.elem_type.and_then(|kind| ElementType::try_from(kind).ok());
    if !matches!(
        kind,
        Some(
            ElementType::Float
                | ElementType::Double
                | ElementType::Float16
                | ElementType::Int32
                | ElementType::Int64
        )
    ) {
        return Err("its elements are neither numbers of single, double or half precision nor ids".into());
    }
    let axes = &tensor.shape.as_ref().ok_or("it has no shape")?.dim;
    let length =
        |axis: &super::proto::DimensionProto| axis.dim_value.and_then(|length| usize::try_from(length).ok());
    let (batch, axes) = axes.split_first().ok_or("it has no axis of the batch")?;
    let lengths = axes.iter().map(length).collect::<Option<Vec<_>>>();
    let lengths = lengths.ok_or("an axis other than that of the batch has no length: export it with one")?;
    let shape = Shape::new(&lengths).filter(|_| !lengths.contains(&0));
    let shape = shape.ok_or("it has too many axes, or one of length 0")?;
    Ok((shape, batch.dim_value.filter(|length| *length > 0)))
}

/// An ONNX file that does not become a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxReadError {
    /// The system reports an error.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is no model, or one that is not read here.
    #[error("it cannot be read as ONNX: {problem}")]
    Format {
        /// What was found.
        problem: String,
    },
    /// A node that no layer is.
    #[error("the node {name}, {operator}, becomes no layer: {reason}")]
    Node {
        /// Its name.
        name: String,
        /// Its operator.
        operator: String,
        /// Why.
        reason: String,
    },
    /// The layers cannot be planned.
    #[error("its layers do not make a model")]
    Model(#[source] ModelError),
    /// The weights are not those of the layers.
    #[error("its weights are not those of its layers")]
    Weights(#[source] LoadError),
}
