//! Layers that are not one after the other.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::{Backward, Entry, Forward, Layer, Merge, ParamKind, Plan, ShapeError, ValueError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::{ArrayView2, s};

use crate::graph_cache::{GraphCache, NodeState, Source};
use crate::merge::{MOST, side_by_side};
use crate::part::{Bound, OfLayer, OfMerge, Part};

/// A graph of named nodes, each a layer or a [`Merge`] of what nodes and inputs before it give.
///
/// It is itself a layer. Several inputs lie side by side in a sample, which is then a vector of all their values, and so do
/// several outputs. Backward the chain rule goes from the last node to the first; where an output is used several times, its
/// gradients are added up. All that is wrong with a graph, such as a name that nobody has, is said by `plan`.
///
/// Two inputs that meet, and two outputs:
///
/// ```
/// # use chainrule_core::{Graph, Merge, MergeBackward, MergeForward, Layer, Plan, ShapeError, Forward, Backward};
/// # use chainrule_tensor::Shape;
/// # #[derive(Clone, Debug)] struct Twice;
/// # impl Layer<f32> for Twice {
/// #     type Cache = ();
/// #     fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((input, ())) }
/// #     fn forward(&self, pass: Forward<'_, f32>) { ndarray::Zip::from(pass.y).and(pass.x).for_each(|y, x| *y = 2.0 * x) }
/// #     fn backward(&self, pass: Backward<'_, f32>) { ndarray::Zip::from(pass.dx.unwrap()).and(pass.dy).for_each(|y, x| *y = 2.0 * x) }
/// # }
/// # #[derive(Clone, Debug)] struct Add;
/// # impl Merge<f32> for Add {
/// #     type Cache = ();
/// #     fn plan(&self, inputs: &[Shape], _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((inputs[0], ())) }
/// #     fn forward(&self, mut pass: MergeForward<'_, f32>) { pass.y.fill(0.0); pass.xs.iter().for_each(|x| pass.y += x); }
/// #     fn backward(&self, pass: MergeBackward<'_, f32>) { pass.dxs.iter_mut().flatten().for_each(|dx| dx.assign(&pass.dy)); }
/// # }
/// let graph = Graph::new()
///     .input("image", [28, 28])
///     .input("text", [28, 28])
///     .layer("seen", Twice, "image")
///     .merge("both", Add, ["seen", "text"])
///     .layer("answer", Twice, "both")
///     .outputs(["answer", "seen"]);
/// let (output, _) = graph.plan([2 * 28 * 28].into(), &mut Plan::new())?;
/// assert_eq!(output, [2 * 28 * 28].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
///
/// A connection that skips layers is an input of a later merge: `.layer("deep", ..., "shallow").merge("sum", Add,
/// ["deep", "shallow"])`. Two branches with the same weights, as in a Siamese network, are a node and another that
/// [`shared`](Self::shared) applies to another input: `.layer("left", tower, "a").shared("right", "left", ["b"])`.
///
/// A node's name begins the names of its parameters, `"left.0.weight"`.
#[derive(Clone)]
pub struct Graph<T> {
    inputs: Vec<(String, Shape)>,
    nodes: Vec<Node<T>>,
    outputs: Vec<String>,
}

/// The name that the sample has if no input is named.
const INPUT: &str = "input";

#[derive(Clone)]
struct Node<T> {
    name: String,
    inputs: Vec<String>,
    what: What<T>,
}

#[derive(Clone)]
enum What<T> {
    Own(Arc<dyn Part<T>>),
    /// The layer and the weights of the node with this name.
    Shared(String),
}

impl<T> Node<T> {
    fn own(&self) -> Option<&Arc<dyn Part<T>>> {
        match &self.what {
            What::Own(part) => Some(part),
            What::Shared(_) => None,
        }
    }
}

impl Graph<f32> {
    /// No nodes yet, in single precision; [`Graph::<f64>::default`](Default::default) is the same in double precision.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<T> Default for Graph<T> {
    fn default() -> Self {
        Self { inputs: Vec::new(), nodes: Vec::new(), outputs: Vec::new() }
    }
}

impl<T: Real> Graph<T> {
    /// With another input. A graph for which none is named has one, the sample, with the name `"input"`.
    #[must_use]
    pub fn input(mut self, name: impl Into<String>, shape: impl Into<Shape>) -> Self {
        self.inputs.push((name.into(), shape.into()));
        self
    }

    /// With a node that applies this layer to an input or an earlier node.
    #[must_use]
    pub fn layer(self, name: impl Into<String>, layer: impl Layer<T>, input: impl Into<String>) -> Self {
        self.node(name.into(), What::Own(Arc::new(OfLayer(Arc::new(layer)))), vec![input.into()])
    }

    /// With a node that joins several inputs or earlier nodes.
    #[must_use]
    pub fn merge(
        self,
        name: impl Into<String>,
        merge: impl Merge<T>,
        inputs: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let inputs = inputs.into_iter().map(Into::into).collect();
        self.node(name.into(), What::Own(Arc::new(OfMerge(Arc::new(merge)))), inputs)
    }

    /// With a node that applies the layer of another, with the same weights, to other inputs. Both uses add to the
    /// weights' gradients; running statistics go to the mean of what the uses want.
    #[must_use]
    pub fn shared(
        self,
        name: impl Into<String>,
        of: impl Into<String>,
        inputs: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.node(name.into(), What::Shared(of.into()), inputs.into_iter().map(Into::into).collect())
    }

    /// With these outputs. For one, it is the output of the graph; several lie side by side.
    #[must_use]
    pub fn outputs(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.outputs.extend(names.into_iter().map(Into::into));
        self
    }

    /// With a node of a part whose type is forgotten.
    pub(crate) fn part(self, name: String, part: Arc<dyn Part<T>>, inputs: Vec<String>) -> Self {
        self.node(name, What::Own(part), inputs)
    }

    fn node(mut self, name: String, what: What<T>, inputs: Vec<String>) -> Self {
        self.nodes.push(Node { name, inputs, what });
        self
    }

    /// The columns of `x` that the input with this name has, if there is one.
    fn columns<'a>(&self, name: &str, x: ArrayView2<'a, T>) -> Option<ArrayView2<'a, T>> {
        if self.inputs.len() < 2 {
            let only = self.inputs.first().map_or(INPUT, |(name, _)| name);
            return (name == only).then_some(x);
        }
        let mut start = 0;
        for (input, shape) in &self.inputs {
            if input == name {
                return Some(x.slice_move(s![.., start..start + shape.size()]));
            }
            start += shape.size();
        }
        None
    }

    /// The columns of `x` that the input or node with this name gives as they are; of the nodes, these are asked.
    fn unchanged<'a>(
        &self,
        name: &str,
        nodes: &[Node<T>],
        x: ArrayView2<'a, T>,
    ) -> Option<ArrayView2<'a, T>> {
        self.columns(name, x).or_else(|| {
            let index = nodes.iter().position(|node| node.name == name)?;
            let same = self.what(&nodes[index])?.is_identity();
            self.unchanged(nodes[index].inputs.first().filter(|_| same)?, &nodes[..index], x)
        })
    }

    /// The layer or merge of a node, its own or shared.
    fn what<'a>(&'a self, node: &'a Node<T>) -> Option<&'a Arc<dyn Part<T>>> {
        match &node.what {
            What::Own(part) => Some(part),
            What::Shared(of) => self.nodes.iter().find(|node| node.name == *of)?.own(),
        }
    }
}

impl<T> fmt::Debug for Graph<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Graph")?;
        let mut list = f.debug_list();
        for (name, shape) in &self.inputs {
            list.entry(&format_args!("{name}: {shape}"));
        }
        for Node { name, inputs, what } in &self.nodes {
            let inputs = inputs.join(", ");
            match what {
                What::Own(part) => list.entry(&format_args!("{name} = {part:?}({inputs})")),
                What::Shared(of) => list.entry(&format_args!("{name} = {of}({inputs})")),
            };
        }
        list.entry(&format_args!("-> {}", self.outputs.join(", "))).finish()
    }
}

impl<T: Real> Layer<T> for Graph<T> {
    type Cache = GraphCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, GraphCache<T>), ShapeError> {
        let mut builder = GraphBuilder::new(self, input, plan)?;
        for node in &self.nodes {
            builder.node(node)?;
        }
        builder.finish(&self.outputs)
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        for (index, node) in self.nodes.iter().enumerate() {
            let given = node.inputs.first().and_then(|name| self.unchanged(name, &self.nodes[..index], x));
            if let (Some(part), Some(x)) = (self.what(node), given) {
                part.check(x)?;
            }
        }
        Ok(())
    }

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, GraphCache<T>>) {
        let params = params.values(cache.parameters);
        cache.forward(params, x, y, mode);
    }

    fn backward(&self, pass: Backward<'_, T, GraphCache<T>>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, share, .. } = pass;
        let params = params.values(cache.parameters);
        let grads = grads.values(cache.parameters);
        cache.backward(params, grads, [x, dy], dx, share);
    }
}

/// A graph that is being planned.
struct GraphBuilder<'a, T: Real> {
    nodes: &'a [Node<T>],
    plan: &'a mut Plan,
    /// The shape of a sample.
    input: Shape,
    /// Where the graph's parameters begin among those of the plan.
    first: usize,
    sources: Vec<Source>,
    states: Vec<NodeState<T>>,
    /// Whether something uses a source.
    used: Vec<bool>,
}

impl<'a, T: Real> GraphBuilder<'a, T> {
    /// Only the inputs of a sample of this shape.
    fn new(graph: &'a Graph<T>, input: Shape, plan: &'a mut Plan) -> Result<Self, ShapeError> {
        let (nodes, first) = (&graph.nodes[..], plan.size());
        let mut builder =
            Self { nodes, plan, input, first, sources: Vec::new(), states: Vec::new(), used: Vec::new() };
        match &graph.inputs[..] {
            [] => builder.source(INPUT, input, false)?,
            [(name, shape)] if *shape == input => builder.source(name, input, false)?,
            [(name, shape)] => {
                let expected = format!("its input {name:?} of shape {shape}");
                return Err(builder.wrong(&expected, "give it such samples, or name the input's own shape"));
            }
            several if several.len() > MOST => {
                let expected = format!("at most {MOST} inputs");
                return Err(builder.wrong(&expected, "let one input hold several, and cut it with layers"));
            }
            several => {
                let size = side_by_side(several.iter().map(|(_, shape)| *shape));
                if size != Some(input) {
                    let size = size.map_or("too many".to_owned(), |size| size.size().to_string());
                    let expected = format!("a vector of the {size} values of its inputs");
                    return Err(builder.wrong(&expected, "put Flatten before it, or name other shapes"));
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

    /// Where the source with this name is.
    fn index(&self, name: &str) -> Option<usize> {
        self.sources.iter().position(|source| source.name == *name)
    }

    fn source(&mut self, name: &str, shape: Shape, trained: bool) -> Result<(), ShapeError> {
        if self.index(name).is_some() {
            let expected = "inputs and nodes with names of their own";
            return Err(self.wrong(expected, &format!("{name:?} is there twice")));
        }
        // Its gradient.
        self.plan.memory(shape.size());
        self.sources.push(Source { name: name.to_owned(), shape, trained });
        self.used.push(false);
        Ok(())
    }

    fn node(&mut self, Node { name, inputs, what }: &Node<T>) -> Result<(), ShapeError> {
        if name.is_empty() || name.contains('.') {
            let help = format!("choose another than {name:?}");
            return Err(self.wrong("nodes with a name without dots", &help));
        }
        if inputs.len() > MOST {
            let expected = format!("at most {MOST} inputs of {name:?}");
            return Err(self.wrong(&expected, "join some of them first"));
        }
        let mut from = Vec::new();
        for input in inputs {
            let Some(index) = self.index(input) else {
                let help = format!("there is no input or earlier node {input:?}, which {name:?} is given");
                return Err(self.wrong("nodes that are given what is before them", &help));
            };
            self.used[index] = true;
            from.push(index);
        }
        let shapes: Vec<Shape> = from.iter().map(|&index| self.sources[index].shape).collect();
        let (shape, replica, params) = match what {
            What::Own(part) => {
                let start = self.plan.size() - self.first;
                let (shape, replica, size) = Arc::clone(part).bind(name, &shapes, self.plan)?;
                (shape, replica, start..start + size)
            }
            What::Shared(of) => {
                let (index, (shape, replica, _)) = self.share(name, of, &shapes)?;
                (shape, replica, self.states[index].params.clone())
            }
        };
        let trained = self.kinds(&params).any(|kind| kind != ParamKind::Frozen)
            || from.iter().any(|&index| self.sources[index].trained);
        self.source(name, shape, trained)?;
        self.states.push(NodeState { replica, params, inputs: from, uses: 1, y: Buffer::default() });
        Ok(())
    }

    /// Another use of the layer and the parameters of the node `of`, and which node that is.
    fn share(&mut self, name: &str, of: &str, shapes: &[Shape]) -> Result<(usize, Bound<T>), ShapeError> {
        let original = self.nodes[..self.states.len()].iter().position(|node| node.name == *of);
        let Some((index, part)) = original.and_then(|index| Some((index, self.nodes[index].own()?))) else {
            let help = format!("{of:?}, which {name:?} shares, is no earlier node with a layer of its own");
            return Err(self.wrong("nodes that share what is before them", &help));
        };
        // Its parameters are declared already.
        let mut other = self.plan.replan();
        let bound = Arc::clone(part).bind(name, shapes, &mut other)?;
        let Range { start, end } = self.states[index].params;
        if !self.plan.merge_shared(other, self.first + start..self.first + end) {
            let help = format!("{name:?} would have other parameters than {of:?}");
            return Err(self.wrong("nodes that share with inputs of the same shape", &help));
        }
        Ok((index, bound))
    }

    /// The kinds of the parameters in this range of the graph's.
    fn kinds(&self, params: &Range<usize>) -> impl Iterator<Item = ParamKind> {
        let range = self.first + params.start..self.first + params.end;
        let inside = move |entry: &&Entry| range.start <= entry.range.start && entry.range.end <= range.end;
        let values = |entry: &&Entry| !entry.range.is_empty();
        self.plan.entries().iter().filter(inside).filter(values).map(|entry| entry.kind)
    }

    fn finish(mut self, names: &[String]) -> Result<(Shape, GraphCache<T>), ShapeError> {
        if names.is_empty() {
            return Err(self.wrong("a graph with outputs", "name them with `outputs`"));
        }
        let mut outputs = Vec::new();
        for name in names {
            let Some(index) = self.index(name) else {
                return Err(self.wrong("outputs that it has", &format!("there is no node {name:?}")));
            };
            self.used[index] = true;
            outputs.push(index);
        }
        if let Some(index) = self.used.iter().position(|used| !used) {
            let name = &self.sources[index].name;
            let help = format!("nothing uses {name:?}: name it as an output, or leave it out");
            return Err(self.wrong("inputs and nodes that something uses", &help));
        }
        let shape = match outputs[..] {
            [one] => self.sources[one].shape,
            _ => side_by_side(outputs.iter().map(|&index| self.sources[index].shape)).ok_or_else(|| {
                self.wrong("outputs whose values together can be counted", "name fewer of them")
            })?,
        };
        self.plan.memory(self.scratch(&outputs));
        for index in 0..self.states.len() {
            let params = &self.states[index].params;
            if self.kinds(params).any(|kind| kind == ParamKind::Buffer) {
                self.states[index].uses = self.states.iter().filter(|state| state.params == *params).count();
            }
        }
        let Self { plan, first, sources, states, .. } = self;
        let (gradients, filled) = (vec![Buffer::default(); sources.len()], vec![false; sources.len()]);
        let parameters = plan.size() - first;
        Ok((
            shape,
            GraphCache { sources, states, outputs, gradients, filled, parameters, ..GraphCache::default() },
        ))
    }

    /// How many values a sample needs for gradients that are added to others.
    fn scratch(&self, outputs: &[usize]) -> usize {
        let mut filled = vec![false; self.sources.len()];
        outputs.iter().for_each(|&index| filled[index] = true);
        let mut sizes = [0; MOST];
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
