//! A node of a graph, its settings, and what it becomes.

use chainrule_core::Description;

use super::constant;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::tensor::Tensor;

/// A node, with its inputs as values.
pub(super) struct Operation<'a> {
    pub(super) node: &'a NodeProto,
    pub(super) inputs: Vec<Option<Operand>>,
    pub(super) opset: i64,
}

/// What a node is given.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// Samples of this shape.
    Samples(Vec<usize>),
    Constant(Tensor),
    /// The lengths of axes that the graph computes.
    Lengths(Vec<Length>),
}

/// The length of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// The number of samples.
    Batch,
    Known(i64),
}

/// A layer that a node becomes, with its parameters under the names within it.
pub(super) struct Converted {
    pub(super) description: Description,
    pub(super) weights: Vec<(&'static str, Tensor)>,
}

impl Converted {
    pub(super) fn new(description: Description) -> Self {
        Self { description, weights: Vec::new() }
    }

    /// With a parameter.
    pub(super) fn weight(mut self, name: &'static str, tensor: Tensor) -> Self {
        self.weights.push((name, tensor));
        self
    }

    /// With a parameter that may be missing.
    pub(super) fn weight_if(self, name: &'static str, tensor: Option<Tensor>) -> Self {
        match tensor {
            Some(tensor) => self.weight(name, tensor),
            None => self,
        }
    }
}

impl Operation<'_> {
    pub(super) fn operator(&self) -> &str {
        self.node.op_type.as_deref().unwrap_or_default()
    }

    fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name.as_deref() == Some(name))
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    pub(super) fn float(&self, name: &str, default: f64) -> f64 {
        // The decimal number that was meant: 1e-5, and not the nearest one of single precision.
        let decimal = |value: f32| value.to_string().parse().unwrap_or(f64::from(value));
        self.attribute(name).and_then(|attribute| attribute.f).map_or(default, decimal)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.attribute(name)?.s.as_deref()?).ok()
    }

    pub(super) fn ints(&self, name: &str) -> Option<&[i64]> {
        self.attribute(name).map(|attribute| &*attribute.ints).filter(|ints| !ints.is_empty())
    }

    /// Numbers that are not negative, one for each of `axes`, or the default for all.
    pub(super) fn counts(&self, name: &str, axes: usize, default: usize) -> Result<Vec<usize>, String> {
        let Some(ints) = self.ints(name) else { return Ok(vec![default; axes]) };
        let counts = ints.iter().map(|&count| usize::try_from(count).ok()).collect::<Option<Vec<_>>>();
        counts
            .filter(|counts| counts.len() == axes)
            .ok_or_else(|| format!("its {name} are not {axes} numbers of at least 0"))
    }

    /// The value of a setting in an attribute, or in newer operator sets in an input.
    pub(super) fn axes(&self, input: usize) -> Option<Vec<i64>> {
        let given = self.ints("axes").map(<[i64]>::to_vec);
        given.or_else(|| self.constant(input).and_then(constant::integers))
    }

    /// The shape of the samples that are its first input.
    pub(super) fn samples(&self) -> Result<&[usize], String> {
        match self.inputs.first() {
            Some(Some(Operand::Samples(shape))) => Ok(shape),
            _ => Err("its first input is a constant".into()),
        }
    }

    /// An input that is a constant.
    pub(super) fn constant(&self, input: usize) -> Option<&Tensor> {
        match self.inputs.get(input) {
            Some(Some(Operand::Constant(tensor))) => Some(tensor),
            _ => None,
        }
    }

    /// An input that has to be a constant.
    pub(super) fn weight(&self, input: usize) -> Result<Tensor, String> {
        let missing = || format!("its input {input} is not a constant");
        self.constant(input).cloned().ok_or_else(missing)
    }

    /// An input that is missing or has to be a constant.
    pub(super) fn weight_if(&self, input: usize) -> Result<Option<Tensor>, String> {
        match self.inputs.get(input) {
            None | Some(None) => Ok(None),
            Some(_) => self.weight(input).map(Some),
        }
    }

    /// An axis of the samples, from 0, which a graph counts with the batch and perhaps from the end.
    pub(super) fn sample_axis(&self, axis: i64, rank: usize) -> Result<usize, String> {
        let all = rank as i64 + 1;
        let axis = if axis < 0 { axis + all } else { axis };
        let within = (1..all).contains(&axis);
        let sample = usize::try_from(axis - 1).ok().filter(|_| within);
        sample.ok_or_else(|| "it acts on the axis of the batch, or on one that is not there".into())
    }
}
