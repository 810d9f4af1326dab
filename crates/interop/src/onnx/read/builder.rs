//! The layers of a graph, one node after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chainrule_core::{AnyLayer, AnyMerge, Description, Layer, Merge, Plan, Registry, Value};
use chainrule_tensor::Shape;

use super::constant::{of_node, tensor};
use super::lengths::{is_of_lengths, lengths_of, picked};
use super::node::{Converted, Length, Operand, Operation};
use super::operators::{Step, convert};
use super::products::{embedding, with_bias};
use crate::onnx::proto::{NodeProto, TensorProto};
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

/// The layers that nodes become, in the precision that does not matter for their shapes.
static REGISTRY: LazyLock<Registry> = LazyLock::new(chainrule_layers::registry::<f32>);

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// The output of the source of this index.
    Source(usize),
    Constant(Tensor),
    /// The lengths of the axes of a value, of which some are picked.
    Lengths(Vec<Length>),
}

/// An input or the output of a layer.
struct Source {
    id: String,
    shape: Shape,
    /// `None` for an input.
    layer: Option<Applied>,
}

/// A layer or merge that is applied to sources.
struct Applied {
    description: Description,
    is_merge: bool,
    weights: Vec<(&'static str, Tensor)>,
    inputs: Vec<usize>,
}

pub(super) struct Builder {
    opset: i64,
    known: BTreeMap<String, Known>,
    sources: Vec<Source>,
    /// How often each name is used.
    uses: BTreeMap<String, usize>,
    ids: BTreeSet<String>,
}

impl Builder {
    pub(super) fn new(opset: i64) -> Self {
        Self {
            opset,
            known: BTreeMap::new(),
            sources: Vec::new(),
            uses: BTreeMap::new(),
            ids: BTreeSet::new(),
        }
    }

    pub(super) fn constants(&mut self, initializers: Vec<TensorProto>) -> Result<(), String> {
        for proto in initializers {
            let name = proto.name.clone().unwrap_or_default();
            let tensor = tensor(proto).map_err(|problem| format!("the constant {name:?}: {problem}"))?;
            if self.known.insert(name.clone(), Known::Constant(tensor)).is_some() {
                return Err(format!("two constants are called {name:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    pub(super) fn input(&mut self, name: String, shape: Shape) {
        let id = self.unique("input");
        self.known.insert(name, Known::Source(self.sources.len()));
        self.sources.push(Source { id, shape, layer: None });
    }

    pub(super) fn count_uses(&mut self, nodes: &[NodeProto], outputs: &[String]) {
        for name in nodes.iter().flat_map(|node| &node.input).chain(outputs) {
            *self.uses.entry(name.clone()).or_insert(0) += 1;
        }
    }

    /// A name that no other source has.
    fn unique(&mut self, name: &str) -> String {
        let numbered = |number: usize| if number == 0 { name.to_owned() } else { format!("{name}_{number}") };
        // Sources are counted, so that this one is free or one of the next.
        let id = if self.ids.contains(name) {
            (self.sources.len()..).map(numbered).find(|id| !self.ids.contains(id)).unwrap_or_default()
        } else {
            name.to_owned()
        };
        self.ids.insert(id.clone());
        id
    }

    pub(super) fn node(&mut self, mut node: NodeProto) -> Result<(), String> {
        let operator = node.op_type.clone().unwrap_or_default();
        let outputs: Vec<String> = std::mem::take(&mut node.output);
        let output = outputs.first().cloned().ok_or("it has no output")?;
        if outputs.iter().skip(1).any(|output| self.uses.contains_key(output)) {
            return Err("a second output of it is used".into());
        }
        let mut inputs = Vec::new();
        for name in &node.input {
            inputs.push(match self.known.get(name) {
                _ if name.is_empty() => None,
                Some(known) => Some(known.clone()),
                None => return Err(format!("its input {name:?} is not known")),
            });
        }
        let known = match operator.as_str() {
            "Constant" => Known::Constant(of_node(&mut node)?),
            "Shape" => match inputs[..] {
                [Some(Known::Source(source))] => {
                    Known::Lengths(lengths_of(&node, &self.sources[source].shape))
                }
                _ => return Err("it is the shape of a constant".into()),
            },
            "Concat" | "Gather" | "Unsqueeze" | "Squeeze" | "Cast" | "Identity" if is_of_lengths(&inputs) => {
                Known::Lengths(picked(&operator, &inputs)?)
            }
            "Identity" if matches!(inputs[..], [Some(Known::Constant(_))]) => {
                inputs.swap_remove(0).ok_or("it has no input")?
            }
            _ => self.layer(&node, &operator, &inputs)?,
        };
        if self.known.insert(output.clone(), known).is_some() {
            return Err(format!("{output:?} is computed twice"));
        }
        Ok(())
    }

    fn layer(&mut self, node: &NodeProto, operator: &str, inputs: &[Option<Known>]) -> Result<Known, String> {
        let operand = |known: &Option<Known>| {
            known.as_ref().map(|known| match known {
                Known::Source(source) => Operand::Samples(self.sources[*source].shape.to_vec()),
                Known::Constant(tensor) => Operand::Constant(tensor.clone()),
                Known::Lengths(lengths) => Operand::Lengths(lengths.clone()),
            })
        };
        let operands = inputs.iter().map(operand).collect();
        let operation = Operation { node, inputs: operands, opset: self.opset };
        let of_samples: Vec<usize> = inputs
            .iter()
            .filter_map(|known| match known {
                Some(Known::Source(source)) => Some(*source),
                _ => None,
            })
            .collect();
        if let Some(source) = self.biased(operator, node, inputs) {
            return Ok(Known::Source(source));
        }
        let step = match (operator, inputs) {
            ("Gather", [Some(Known::Constant(table)), Some(Known::Source(_))]) => {
                let table = table.clone();
                embedding(&operation, table)?.into()
            }
            _ => convert(&operation)?,
        };
        let &first = of_samples.first().ok_or("it has no samples")?;
        match step {
            Step::Same => Ok(Known::Source(first)),
            Step::Layers(layers) => {
                let mut source = first;
                for Converted { description, weights } in layers {
                    source = self.apply(
                        operator,
                        Applied { description, is_merge: false, weights, inputs: vec![source] },
                    )?;
                }
                Ok(Known::Source(source))
            }
            Step::Merge(description) => {
                if of_samples.len() != inputs.len() {
                    return Err("it merges samples with a constant".into());
                }
                let merge = Applied { description, is_merge: true, weights: Vec::new(), inputs: of_samples };
                self.apply(operator, merge).map(Known::Source)
            }
        }
    }

    /// The layer before an addition that is its bias, with that bias.
    fn biased(&mut self, operator: &str, node: &NodeProto, inputs: &[Option<Known>]) -> Option<usize> {
        let (source, bias, name) = match inputs {
            [Some(Known::Source(source)), Some(Known::Constant(bias))] => {
                (*source, bias, node.input.first()?)
            }
            [Some(Known::Constant(bias)), Some(Known::Source(source))] => (*source, bias, node.input.get(1)?),
            _ => return None,
        };
        let layer = self.sources.get_mut(source)?.layer.as_mut()?;
        if operator != "Add" || self.uses.get(name) != Some(&1) {
            return None;
        }
        let (description, name, bias) = with_bias(&layer.description, bias)?;
        layer.description = description;
        layer.weights.push((name, bias));
        Some(source)
    }

    /// Adds a layer that is applied to sources; checks it and its weights.
    fn apply(&mut self, operator: &str, applied: Applied) -> Result<usize, String> {
        let Applied { description, is_merge, weights, inputs } = &applied;
        let shapes: Vec<Shape> = inputs.iter().map(|&input| self.sources[input].shape).collect();
        let mut plan = Plan::new();
        let refused = |error: &dyn std::fmt::Display| format!("{description} is no layer for it: {error}");
        let output = if *is_merge {
            let merge: AnyMerge<f32> = REGISTRY.build(description).map_err(|error| refused(&error))?;
            Merge::plan(&merge, &shapes, &mut plan).map(|(output, _)| output)
        } else {
            let layer: AnyLayer<f32> = REGISTRY.build(description).map_err(|error| refused(&error))?;
            Layer::plan(&layer, shapes[0], &mut plan).map(|(output, _)| output)
        };
        let shape = output.map_err(|error| refused(&error))?;
        for entry in plan.entries() {
            let tensor = weights.iter().find(|(name, _)| *name == entry.name).map(|(_, tensor)| tensor);
            if tensor.is_none_or(|tensor| tensor.shape() != &*entry.shape) {
                return Err(format!("its {} is not of the shape {}", entry.name, entry.shape));
            }
        }
        let id = self.unique(&operator.to_lowercase());
        self.sources.push(Source { id, shape, layer: Some(applied) });
        Ok(self.sources.len() - 1)
    }

    /// The description of the layers, the shape of a sample and the weights.
    pub(super) fn finish(mut self, outputs: &[String]) -> Result<(Description, Shape, StateDict), String> {
        let mut ends = Vec::new();
        for name in outputs {
            let Some(Known::Source(source)) = self.known.get(name) else {
                return Err(format!("its output {name:?} is computed by no layer"));
            };
            ends.push(*source);
        }
        let inputs = self.sources.iter().filter(|source| source.layer.is_none()).count();
        let chain = inputs == 1
            && ends == [self.sources.len() - 1]
            && self.sources.iter().enumerate().skip(1).all(|(index, source)| {
                source.layer.as_ref().is_some_and(|layer| !layer.is_merge && layer.inputs == [index - 1])
            });
        let size: Option<usize> = self.sources[..inputs]
            .iter()
            .try_fold(0usize, |sum, source| sum.checked_add(source.shape.size()));
        let input = match (inputs, size) {
            (0, _) => return Err("it has no input".into()),
            (1, _) => self.sources[0].shape,
            (_, Some(size)) => Shape::from([size]),
            (_, None) => return Err("its inputs are too large".into()),
        };
        let mut weights = StateDict::new();
        for (index, source) in self.sources.iter_mut().enumerate() {
            let Source { id, layer: Some(layer), .. } = source else { continue };
            for (name, tensor) in layer.weights.drain(..) {
                let path = if chain { (index - 1).to_string() } else { format!("0.{id}") };
                weights.insert(format!("{path}.{name}"), tensor);
            }
        }
        let layers = if chain { self.chain() } else { vec![self.graph(inputs, &ends)] };
        let layers = layers.into_iter().map(Value::from).collect();
        Ok((Description::new("sequential").with("layers", Value::List(layers)), input, weights))
    }

    fn chain(self) -> Vec<Description> {
        self.sources.into_iter().filter_map(|source| source.layer).map(|layer| layer.description).collect()
    }

    fn graph(&self, inputs: usize, ends: &[usize]) -> Description {
        let id = |source: usize| Value::Text(self.sources[source].id.clone());
        let input = |source: &Source| {
            Description::new("input").with("id", source.id.clone()).with("shape", source.shape.to_vec())
        };
        let node = |source: &Source| {
            let layer = source.layer.as_ref()?;
            let from: Vec<Value> = layer.inputs.iter().map(|&input| id(input)).collect();
            let own = source.id.clone();
            Some(if layer.is_merge {
                let merge =
                    Description::new("merge").with("id", own).with("merge", layer.description.clone());
                merge.with("inputs", Value::List(from))
            } else {
                let node = Description::new("layer").with("id", own).with("layer", layer.description.clone());
                node.with("input", from.into_iter().next().unwrap_or(Value::None))
            })
        };
        let list =
            |descriptions: Vec<Description>| Value::List(descriptions.into_iter().map(Value::from).collect());
        let inputs = list(self.sources[..inputs].iter().map(input).collect());
        let nodes = list(self.sources.iter().filter_map(node).collect());
        let outputs = Value::List(ends.iter().map(|&source| id(source)).collect());
        Description::new("graph").with("inputs", inputs).with("nodes", nodes).with("outputs", outputs)
    }
}
