//! What a graph becomes at the end: the layers that its outputs depend on, as a sequence or a graph, and their weights.

use chainrule_core::{Description, Value};
use chainrule_tensor::Shape;

use super::builder::{Builder, Kind, Known, Source};
use crate::state_dict::StateDict;

impl Builder {
    /// Removes what no output depends on; the inputs stay. What is left has other indices, which are returned for `ends`.
    fn pruned(&mut self, ends: &[usize]) -> Vec<usize> {
        let mut needed = vec![false; self.sources.len()];
        let mut open = ends.to_vec();
        while let Some(source) = open.pop() {
            if !std::mem::replace(&mut needed[source], true)
                && let Kind::Layer(applied) = &self.sources[source].kind
            {
                open.extend(&applied.inputs);
            }
        }
        let mut indices = vec![0; self.sources.len()];
        let mut kept = Vec::new();
        for (index, mut source) in std::mem::take(&mut self.sources).into_iter().enumerate() {
            if let Kind::Layer(applied) = &mut source.kind {
                applied.inputs.iter_mut().for_each(|input| *input = indices[*input]);
            }
            if needed[index] || matches!(source.kind, Kind::Input) {
                indices[index] = kept.len();
                kept.push(source);
            }
        }
        self.sources = kept;
        ends.iter().map(|&end| indices[end]).collect()
    }

    /// The description of the layers, the shape of a sample and the weights.
    pub(super) fn finish(mut self, outputs: &[String]) -> Result<(Description, Shape, StateDict), String> {
        let mut ends = Vec::new();
        for name in outputs {
            let samples = match self.known.get(name).cloned() {
                Some(Known::Samples(samples)) => samples,
                Some(Known::Opaque(reason)) => return Err(format!("its output {name:?}: {reason}")),
                Some(Known::Part(part)) => return Err(format!("its output {name:?}: {}", part.reason)),
                _ => return Err(format!("its output {name:?} is computed by no layer")),
            };
            let (source, frame) =
                self.arranged(&samples).map_err(|problem| format!("its output {name:?}: {problem}"))?;
            if !frame.is_plain() {
                return Err(format!("the first axis of its output {name:?} is not that of the batch"));
            }
            ends.push(source);
        }
        let ends = self.pruned(&ends);
        let inputs = self.sources.iter().filter(|source| matches!(source.kind, Kind::Input)).count();
        let chain = inputs == 1
            && ends == [self.sources.len() - 1]
            && self.sources.iter().enumerate().skip(1).all(|(index, source)| {
                matches!(&source.kind, Kind::Layer(layer) if !layer.is_merge && layer.inputs == [index - 1])
            });
        let size: Option<usize> = self.sources[..inputs]
            .iter()
            .try_fold(0usize, |sum, source| sum.checked_add(source.shape.iter().product()));
        let too_large = || "its inputs are too large".to_owned();
        let input = match (inputs, size) {
            (0, _) => return Err("it has no input".into()),
            (1, _) => Shape::new(&self.sources[0].shape).ok_or_else(too_large)?,
            (_, Some(size)) => Shape::from([size]),
            (_, None) => return Err(too_large()),
        };
        let mut weights = StateDict::new();
        for (index, source) in self.sources.iter_mut().enumerate() {
            let Source { id, kind: Kind::Layer(layer), .. } = source else { continue };
            for (name, tensor) in layer.weights.drain(..) {
                let path = if chain { (index - 1).to_string() } else { format!("0.{id}") };
                weights.insert(format!("{path}.{name}"), tensor);
            }
        }
        let layers = if chain { self.chained() } else { vec![self.graph(inputs, &ends)] };
        let layers = layers.into_iter().map(Value::from).collect();
        Ok((Description::new("sequential").with("layers", Value::List(layers)), input, weights))
    }

    fn chained(self) -> Vec<Description> {
        let description = |source: Source| match source.kind {
            Kind::Layer(layer) => Some(layer.description),
            _ => None,
        };
        self.sources.into_iter().filter_map(description).collect()
    }

    fn graph(&self, inputs: usize, ends: &[usize]) -> Description {
        let id = |source: usize| Value::Text(self.sources[source].id.clone());
        let input = |source: &Source| {
            Description::new("input").with("id", source.id.clone()).with("shape", source.shape.clone())
        };
        let node = |source: &Source| {
            let Kind::Layer(layer) = &source.kind else { return None };
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
