//! A node of a graph, its settings, and what it becomes.

use chainrule_core::Description;

use super::constant;
use super::view::Frame;
use crate::onnx::proto::{AttributeProto, NodeProto};
use crate::tensor::Tensor;

/// A node, with its inputs as values.
pub(super) struct Operation<'a> {
    pub(super) node: &'a NodeProto,
    pub(super) inputs: Vec<Option<Operand>>,
    pub(super) opset: i64,
    /// The number of its outputs.
    pub(super) outputs: usize,
    /// How the axes of a sample are the axes of the node.
    pub(super) frame: Frame,
}

/// What a node is given.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// Samples of this shape.
    Samples(Vec<usize>),
    Constant(Tensor),
    /// What is computed, and no constant.
    Computed,
}

/// The length of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// The number of samples, so many times.
    Batch(i64),
    Known(i64),
}

impl Length {
    /// The product of two.
    pub(super) fn times(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Known(a), Self::Known(b)) => a.checked_mul(b).map(Self::Known),
            (Self::Known(a), Self::Batch(b)) | (Self::Batch(a), Self::Known(b)) => {
                a.checked_mul(b).map(Self::Batch)
            }
            (Self::Batch(_), Self::Batch(_)) => None,
        }
    }
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

    /// A list of texts, in lower case.
    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let texts = self.attribute(name).map(|attribute| &*attribute.strings).unwrap_or_default();
        texts.iter().map(|text| String::from_utf8_lossy(text).to_lowercase()).collect()
    }

    pub(super) fn floats(&self, name: &str) -> &[f32] {
        self.attribute(name).map(|attribute| &*attribute.floats).unwrap_or_default()
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
    pub(super) fn integers(&self, name: &str, input: usize) -> Result<Option<Vec<i64>>, String> {
        if let Some(given) = self.ints(name) {
            return Ok(Some(given.to_vec()));
        }
        let Some(given) = self.weight_if(input)? else { return Ok(None) };
        let unreadable = || format!("its {name} are not whole numbers, or are more than 64");
        constant::integers(&given).map(Some).ok_or_else(unreadable)
    }

    /// The axes that it is along, if it names them.
    pub(super) fn axes(&self, input: usize) -> Result<Option<Vec<i64>>, String> {
        self.integers("axes", input)
    }

    /// The shape of the samples that are its first input, of which it has to have the axes after that of the batch.
    pub(super) fn samples(&self) -> Result<&[usize], String> {
        let shape = self.any_samples()?;
        if self.frame == Frame::plain(shape.len()) {
            Ok(shape)
        } else {
            Err("the first axis of its input is not that of the batch".into())
        }
    }

    /// The shape of the samples that are its first input, whichever axis is that of the batch.
    pub(super) fn any_samples(&self) -> Result<&[usize], String> {
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
    pub(super) fn sample_axis(&self, axis: i64) -> Result<usize, String> {
        self.frame.sample_axis(axis)
    }
}
