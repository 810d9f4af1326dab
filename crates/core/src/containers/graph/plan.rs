//! Planning a graph: its names, shapes and parameters.

use std::ops::Range;
use std::sync::Arc;

use chainrule_tensor::{Buffer, Real, Shape};

use crate::containers::erased::Bound;
use crate::containers::graph::node::{Node, Operation};
use crate::containers::graph::pass::{GraphCache, NodeState, Source};
use crate::containers::side_by_side::{MAX_INPUTS, concatenated};
use crate::error::ShapeError;
use crate::param_kind::ParamKind;
use crate::plan::{ParamEntry, Plan};

/// The name of the sample if no input is named.
pub(crate) const INPUT: &str = "input";

/// A graph that is being planned.
pub(crate) struct GraphBuilder<'a, T: Real> {
    nodes: &'a [Node<T>],
    plan: &'a mut Plan,
    /// The shape of a sample.
    input: Shape,
    /// The index in the plan of the graph's first parameter.
    first: usize,
    sources: Vec<Source>,
    states: Vec<NodeState<T>>,
    /// For each source, whether something uses it.
    used: Vec<bool>,
}

impl<'a, T: Real> GraphBuilder<'a, T> {
    /// Begins with the inputs, for samples of shape `input`.
    pub(crate) fn new(
        inputs: &[(String, Shape)],
        nodes: &'a [Node<T>],
        input: Shape,
        plan: &'a mut Plan,
    ) -> Result<Self, ShapeError> {
        let first = plan.size();
        let mut builder =
            Self { nodes, plan, input, first, sources: Vec::new(), states: Vec::new(), used: Vec::new() };
        match inputs {
            [] => builder.source(INPUT, input, false)?,
            [(name, shape)] if *shape == input => builder.source(name, input, false)?,
            [(name, shape)] => {
                let expected = format!("its input {name:?} of shape {shape}");
                return Err(
                    builder.wrong(&expected, "reshape the samples, or name the input with their shape")
                );
            }
            several if several.len() > MAX_INPUTS => {
                let expected = format!("at most {MAX_INPUTS} inputs");
                return Err(
                    builder.wrong(&expected, "combine several into one input, and split it with layers")
                );
            }
            several => {
                let size = concatenated(several.iter().map(|(_, shape)| *shape));
                if size != Some(input) {
                    let expected = match size {
                        Some(size) => format!("a vector of the {} values of its inputs", size.size()),
                        None => "inputs whose values together can be counted".to_owned(),
                    };
                    return Err(
                        builder.wrong(&expected, "put Flatten before it, or change the shapes of the inputs")
                    );
                }
                for (name, shape) in several {
                    builder.source(name, *shape, false)?;
                }
            }
        }
        Ok(builder)
    }

    fn wrong(&self, expected: &str, help: &str) -> ShapeError {
        self.plan.error(self.input, expected, help)
    }

    /// The index of the source with this name.
    fn index(&self, name: &str) -> Option<usize> {
        self.sources.iter().position(|source| source.name == *name)
    }

    fn source(&mut self, name: &str, shape: Shape, trained: bool) -> Result<(), ShapeError> {
        if self.index(name).is_some() {
            let expected = "inputs and nodes with unique names";
            return Err(self.wrong(expected, &format!("{name:?} is used twice; rename one of them")));
        }
        // For its gradient.
        self.plan.memory(shape.size());
        self.sources.push(Source { name: name.to_owned(), shape, trained });
        self.used.push(false);
        Ok(())
    }

    pub(crate) fn node(&mut self, Node { name, inputs, operation }: &Node<T>) -> Result<(), ShapeError> {
        if name.is_empty() || name.contains('.') {
            let help = format!("rename {name:?}");
            return Err(self.wrong("nodes whose names are not empty and have no dots", &help));
        }
        if inputs.len() > MAX_INPUTS {
            let expected = format!("at most {MAX_INPUTS} inputs for {name:?}");
            return Err(self.wrong(&expected, "merge some of them first"));
        }
        let mut from = Vec::new();
        for input in inputs {
            let Some(index) = self.index(input) else {
                let help = format!("{name:?} is applied to {input:?}, which is no input or earlier node");
                return Err(self.wrong("nodes applied to inputs or earlier nodes", &help));
            };
            self.used[index] = true;
            from.push(index);
        }
        let shapes: Vec<Shape> = from.iter().map(|&index| self.sources[index].shape).collect();
        let (bound, params) = match operation {
            Operation::Own(erased) => {
                let start = self.plan.size() - self.first;
                let bound = Arc::clone(erased).bind(name, &shapes, self.plan)?;
                let end = start + bound.parameters;
                (bound, start..end)
            }
            Operation::Shared(of) => {
                let (index, bound) = self.share(name, of, &shapes)?;
                (bound, self.states[index].params.clone())
            }
        };
        let trained = self.kinds(&params).any(|kind| kind != ParamKind::Frozen)
            || from.iter().any(|&index| self.sources[index].trained);
        let Bound { node, output, .. } = bound;
        self.source(name, output, trained)?;
        self.states.push(NodeState { node, params, inputs: from, uses: 1, y: Buffer::default() });
        Ok(())
    }

    /// Another use of the layer and the parameters of the node `of`, and which node that is.
    fn share(&mut self, name: &str, of: &str, shapes: &[Shape]) -> Result<(usize, Bound<T>), ShapeError> {
        let original = self.nodes[..self.states.len()].iter().position(|node| node.name == *of);
        let Some((index, erased)) = original.and_then(|index| Some((index, self.nodes[index].own()?))) else {
            let help = format!("{name:?} shares {of:?}, which is no earlier node with a layer of its own");
            return Err(self.wrong("nodes that share the layers of earlier nodes", &help));
        };
        // Its parameters are declared already.
        let mut other = self.plan.replan();
        let bound = Arc::clone(erased).bind(name, shapes, &mut other)?;
        let Range { start, end } = self.states[index].params;
        if !self.plan.merge_shared(other, self.first + start..self.first + end) {
            let help = format!("{name:?} would have parameters other than those of {of:?}");
            return Err(self.wrong("nodes that share a layer to have inputs of the same shape", &help));
        }
        Ok((index, bound))
    }

    /// The kinds of the parameters in this range of the graph's.
    fn kinds(&self, params: &Range<usize>) -> impl Iterator<Item = ParamKind> {
        let range = self.first + params.start..self.first + params.end;
        let inside =
            move |entry: &&ParamEntry| range.start <= entry.range.start && entry.range.end <= range.end;
        let values = |entry: &&ParamEntry| !entry.range.is_empty();
        self.plan.entries().iter().filter(inside).filter(values).map(|entry| entry.kind)
    }

    pub(crate) fn finish(mut self, names: &[String]) -> Result<(Shape, GraphCache<T>), ShapeError> {
        if names.is_empty() {
            return Err(self.wrong("outputs", "name them with `outputs`"));
        }
        let mut outputs = Vec::new();
        for name in names {
            let Some(index) = self.index(name) else {
                return Err(self.wrong("outputs that are inputs or nodes", &format!("there is no {name:?}")));
            };
            self.used[index] = true;
            outputs.push(index);
        }
        if let Some(index) = self.used.iter().position(|used| !used) {
            let name = &self.sources[index].name;
            let help = format!("nothing uses {name:?}; make it an output, or remove it");
            return Err(self.wrong("inputs and nodes that are all used", &help));
        }
        let shapes = outputs.iter().map(|&index| self.sources[index].shape);
        let concatenated = concatenated(shapes);
        let shape = match (&outputs[..], concatenated) {
            (&[only], _) => self.sources[only].shape,
            (_, Some(vector)) => vector,
            (_, None) => {
                let expected = "outputs whose values together can be counted";
                return Err(self.wrong(expected, "name fewer outputs"));
            }
        };
        self.plan.memory(self.scratch(&outputs));
        for index in 0..self.states.len() {
            let params = &self.states[index].params;
            if self.kinds(params).any(|kind| kind == ParamKind::Buffer) {
                self.states[index].uses = self.states.iter().filter(|state| state.params == *params).count();
            }
        }
        let Self { plan, first, sources, states, .. } = self;
        let gradients = vec![Buffer::default(); sources.len()];
        let filled = vec![false; sources.len()];
        let parameters = plan.size() - first;
        let scratch = Default::default();
        Ok((shape, GraphCache { sources, states, outputs, gradients, filled, scratch, parameters }))
    }

    /// The number of values that a sample needs for gradients that are added to others.
    fn scratch(&self, outputs: &[usize]) -> usize {
        let mut filled = vec![false; self.sources.len()];
        outputs.iter().for_each(|&index| filled[index] = true);
        let mut sizes = [0; MAX_INPUTS];
        for state in self.states.iter().rev() {
            for (size, &from) in sizes.iter_mut().zip(&state.inputs) {
                if std::mem::replace(&mut filled[from], true) {
                    *size = self.sources[from].shape.size().max(*size);
                }
            }
        }
        sizes.iter().fold(0, |sum, &size| sum.saturating_add(size))
    }
}
