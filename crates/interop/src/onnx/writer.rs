//! A graph that is being written: nodes, constants, and names that are unique.

use std::collections::BTreeMap;

use chainrule_core::{ParamEntry, Plan};

use super::proto::{AttributeProto, AttributeType, ElementType, NodeProto, TensorProto};
use crate::site::{Reason, Site};

/// A value of a graph: its name, and the shape of a sample. Its first axis is that of the batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Signal {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
}

impl Signal {
    pub(super) fn new(name: String, shape: impl Into<Vec<usize>>) -> Self {
        Self { name, shape: shape.into() }
    }

    /// The number of values of a sample.
    pub(super) fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The number of axes of a sample.
    pub(super) fn rank(&self) -> usize {
        self.shape.len()
    }
}

/// A setting of a node.
#[derive(Clone, Debug)]
pub(super) enum Attribute {
    Int(&'static str, i64),
    Float(&'static str, f64),
    Text(&'static str, &'static str),
    Ints(&'static str, Vec<i64>),
    Floats(&'static str, Vec<f64>),
    Texts(&'static str, Vec<&'static str>),
}

impl Attribute {
    /// Whole numbers that are not negative.
    pub(super) fn counts(name: &'static str, counts: impl IntoIterator<Item = usize>) -> Self {
        Self::Ints(name, ints(counts))
    }

    fn proto(self) -> AttributeProto {
        let of = |name: &str, kind: AttributeType| AttributeProto {
            name: Some(name.to_owned()),
            r#type: Some(kind.into()),
            ..AttributeProto::default()
        };
        let bytes = |text: &str| text.as_bytes().to_vec();
        match self {
            Self::Int(name, i) => AttributeProto { i: Some(i), ..of(name, AttributeType::Int) },
            Self::Float(name, f) => AttributeProto { f: Some(f as f32), ..of(name, AttributeType::Float) },
            Self::Text(name, s) => AttributeProto { s: Some(bytes(s)), ..of(name, AttributeType::String) },
            Self::Ints(name, ints) => AttributeProto { ints, ..of(name, AttributeType::Ints) },
            Self::Floats(name, floats) => {
                let floats = floats.into_iter().map(|value| value as f32).collect();
                AttributeProto { floats, ..of(name, AttributeType::Floats) }
            }
            Self::Texts(name, texts) => {
                let strings = texts.into_iter().map(bytes).collect();
                AttributeProto { strings, ..of(name, AttributeType::Strings) }
            }
        }
    }
}

/// Counts as ONNX has them.
pub(super) fn ints(counts: impl IntoIterator<Item = usize>) -> Vec<i64> {
    counts.into_iter().map(|count| i64::try_from(count).unwrap_or(i64::MAX)).collect()
}

/// The graph so far.
pub(super) struct Writer<'a> {
    pub(super) plan: &'a Plan,
    /// The flat parameters; wrappers replace those that they compute.
    pub(super) parameters: Vec<f64>,
    pub(super) nodes: Vec<NodeProto>,
    pub(super) initializers: Vec<TensorProto>,
    /// The path of the layer that is being written.
    pub(super) path: String,
    /// How often each name was asked for.
    names: BTreeMap<String, usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(plan: &'a Plan, parameters: Vec<f64>, taken: &[&str]) -> Self {
        Self {
            plan,
            parameters,
            nodes: Vec::new(),
            initializers: Vec::new(),
            path: String::new(),
            names: taken.iter().map(|name| ((*name).to_owned(), 1)).collect(),
        }
    }

    /// A name that nothing else has, of the layer that is being written.
    fn name(&mut self, own: &str) -> String {
        let name = if self.path.is_empty() { own.to_owned() } else { format!("{}.{own}", self.path) };
        let count = self.names.entry(name.clone()).or_insert(0);
        *count += 1;
        match *count {
            1 => name,
            count => self.name(&format!("{own}_{count}")),
        }
    }

    /// Adds a node with these numbers of outputs; returns their names.
    pub(super) fn nodes(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: usize,
        attributes: Vec<Attribute>,
    ) -> Vec<String> {
        let name = self.name(operator);
        let output: Vec<String> = match outputs {
            1 => vec![name.clone()],
            _ => (0..outputs).map(|index| self.name(&format!("{operator}_output_{index}"))).collect(),
        };
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: output.clone(),
            name: Some(name),
            op_type: Some(operator.to_owned()),
            attribute: attributes.into_iter().map(Attribute::proto).collect(),
        });
        output
    }

    /// Adds a node; returns the name of its output.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], attributes: Vec<Attribute>) -> String {
        self.nodes(operator, inputs, 1, attributes).swap_remove(0)
    }

    /// Adds a node whose output has the shape of `x`.
    pub(super) fn like(
        &mut self,
        x: &Signal,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<Attribute>,
    ) -> Signal {
        Signal::new(self.node(operator, inputs, attributes), x.shape.clone())
    }

    fn initializer(&mut self, own: &str, kind: ElementType, dims: Vec<usize>, bytes: Vec<u8>) -> String {
        let name = self.name(own);
        self.initializers.push(TensorProto {
            dims: ints(dims),
            data_type: Some(kind.into()),
            name: Some(name.clone()),
            raw_data: Some(bytes),
            ..TensorProto::default()
        });
        name
    }

    /// Adds a constant of numbers.
    pub(super) fn constant(
        &mut self,
        own: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = f64>,
    ) -> String {
        let bytes = values.into_iter().flat_map(|value| (value as f32).to_le_bytes()).collect();
        self.initializer(own, ElementType::Float, shape.to_vec(), bytes)
    }

    /// Adds a constant of one number, without axes.
    pub(super) fn scalar(&mut self, own: &str, value: f64) -> String {
        self.constant(own, &[], [value])
    }

    /// Adds a constant of whole numbers.
    pub(super) fn indices(
        &mut self,
        own: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = i64>,
    ) -> String {
        let bytes = values.into_iter().flat_map(i64::to_le_bytes).collect();
        self.initializer(own, ElementType::Int64, shape.to_vec(), bytes)
    }

    /// Adds a constant list of whole numbers.
    pub(super) fn list(&mut self, own: &str, values: Vec<i64>) -> String {
        self.indices(own, &[values.len()], values)
    }

    /// Adds a constant of truth values.
    pub(super) fn truths(
        &mut self,
        own: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = bool>,
    ) -> String {
        let bytes = values.into_iter().map(u8::from).collect();
        self.initializer(own, ElementType::Bool, shape.to_vec(), bytes)
    }

    /// A parameter of a layer, if it has one of this name.
    pub(super) fn entry(&self, site: &Site, name: &str) -> Option<&'a ParamEntry> {
        let name = if site.path.is_empty() { name.to_owned() } else { format!("{}.{name}", site.path) };
        self.plan.entries().iter().find(|entry| entry.name == name)
    }

    /// The values of a parameter.
    pub(super) fn values(&self, entry: &ParamEntry) -> &[f64] {
        &self.parameters[entry.range.clone()]
    }

    /// The values of a parameter that a layer must have.
    pub(super) fn required(&self, site: &Site, name: &str) -> Result<&'a ParamEntry, Reason> {
        self.entry(site, name).ok_or_else(|| format!("its parameter {name} is not in the plan"))
    }

    /// Adds a parameter as a constant of this shape.
    pub(super) fn parameter_as(
        &mut self,
        site: &Site,
        name: &str,
        shape: &[usize],
    ) -> Result<String, Reason> {
        let entry = self.required(site, name)?;
        let values = self.values(entry).to_vec();
        Ok(self.constant(name, shape, values))
    }

    /// Adds a parameter as a constant.
    pub(super) fn parameter(&mut self, site: &Site, name: &str) -> Result<String, Reason> {
        let shape = self.required(site, name)?.shape.to_vec();
        self.parameter_as(site, name, &shape)
    }

    /// The shape that a layer returns, by the plan.
    pub(super) fn planned_output(&self, site: &Site) -> Option<Vec<usize>> {
        self.plan.layers().iter().find(|info| info.path == site.path).map(|info| info.output.to_vec())
    }

    /// The samples in another shape.
    pub(super) fn reshape(&mut self, x: &Signal, shape: impl Into<Vec<usize>>) -> Signal {
        let shape = shape.into();
        if shape == x.shape {
            return x.clone();
        }
        // 0 is the length of the same axis of the input.
        let axes = [0].into_iter().chain(ints(shape.iter().copied())).collect();
        let axes = self.list("shape", axes);
        Signal::new(self.node("Reshape", &[&x.name, &axes], vec![]), shape)
    }

    /// The axes of the samples in this order.
    pub(super) fn transpose(&mut self, x: &Signal, order: &[usize]) -> Signal {
        if order.iter().copied().eq(0..order.len()) {
            return x.clone();
        }
        let perm = [0].into_iter().chain(order.iter().map(|axis| axis + 1));
        let name = self.node("Transpose", &[&x.name], vec![Attribute::counts("perm", perm)]);
        Signal::new(name, order.iter().map(|&axis| x.shape[axis]).collect::<Vec<_>>())
    }

    /// The values at these indices of an axis of the samples.
    pub(super) fn gather(
        &mut self,
        x: &Signal,
        axis: usize,
        indices: impl IntoIterator<Item = usize>,
    ) -> Signal {
        let indices = ints(indices);
        let mut shape = x.shape.clone();
        shape[axis] = indices.len();
        let indices = self.list("indices", indices);
        let name = self.node("Gather", &[&x.name, &indices], vec![Attribute::Int("axis", axis as i64 + 1)]);
        Signal::new(name, shape)
    }

    /// The range of an axis of the samples.
    pub(super) fn slice(&mut self, x: &Signal, axis: usize, range: std::ops::Range<usize>) -> Signal {
        let mut shape = x.shape.clone();
        shape[axis] = range.len();
        let start = self.list("start", ints([range.start]));
        let end = self.list("end", ints([range.end]));
        let axes = self.list("axis", ints([axis + 1]));
        Signal::new(self.node("Slice", &[&x.name, &start, &end, &axes], vec![]), shape)
    }

    /// A list of whole numbers: how many samples there are in `x`, and this shape of each.
    pub(super) fn batched_shape(&mut self, x: &Signal, shape: &[usize]) -> String {
        let range = vec![Attribute::Int("start", 0), Attribute::Int("end", 1)];
        let batch = self.node("Shape", &[&x.name], range);
        let rest = self.list("shape", ints(shape.iter().copied()));
        self.node("Concat", &[&batch, &rest], vec![Attribute::Int("axis", 0)])
    }
}
