//! Layers that are not one after the other.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use chainrule_tensor::{Buffer, Grads, Params, Real, Shape, vector};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use crate::joint::{MOST, cut};
use crate::{
    Backward, Forward, Joint, JointBackward, JointForward, Layer, Mode, Plan, ShapeError, ValueError,
};

/// A graph of named nodes, each a layer or a [`Joint`] of what nodes and inputs before it give.
///
/// It is itself a layer. Several inputs lie side by side in a sample, which is then a vector of all their values, and so do
/// several outputs. Backward the chain rule goes from the last node to the first; where an output is used several times, its
/// gradients are added up. All that is wrong with a graph, such as a name that nobody has, is said by `plan`.
///
/// Two inputs that meet, and two outputs:
///
/// ```
/// # use chainrule_layer::{Graph, Joint, JointBackward, JointForward, Layer, Plan, ShapeError, Forward, Backward};
/// # use chainrule_tensor::Shape;
/// # #[derive(Clone, Debug)] struct Twice;
/// # impl Layer<f32> for Twice {
/// #     type Cache = ();
/// #     fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((input, ())) }
/// #     fn forward(&self, pass: Forward<'_, f32>) { ndarray::Zip::from(pass.y).and(pass.x).for_each(|y, x| *y = 2.0 * x) }
/// #     fn backward(&self, pass: Backward<'_, f32>) { ndarray::Zip::from(pass.dx.unwrap()).and(pass.dy).for_each(|y, x| *y = 2.0 * x) }
/// # }
/// # #[derive(Clone, Debug)] struct Add;
/// # impl Joint<f32> for Add {
/// #     type Cache = ();
/// #     fn plan(&self, inputs: &[Shape], _: &mut Plan) -> Result<(Shape, ()), ShapeError> { Ok((inputs[0], ())) }
/// #     fn forward(&self, mut pass: JointForward<'_, f32>) { pass.y.fill(0.0); pass.xs.iter().for_each(|x| pass.y += x); }
/// #     fn backward(&self, pass: JointBackward<'_, f32>) { pass.dxs.iter_mut().flatten().for_each(|dx| dx.assign(&pass.dy)); }
/// # }
/// let graph = Graph::new()
///     .input("image", [28, 28])
///     .input("text", [28, 28])
///     .layer("seen", Twice, "image")
///     .joint("both", Add, ["seen", "text"])
///     .layer("answer", Twice, "both")
///     .outputs(["answer", "seen"]);
/// let (output, _) = graph.plan([2 * 28 * 28].into(), &mut Plan::new())?;
/// assert_eq!(output, [2 * 28 * 28].into());
/// # Ok::<(), chainrule_layer::ShapeError>(())
/// ```
///
/// A connection that skips layers is an input of a later joint: `.layer("deep", ..., "shallow").joint("sum", Add,
/// ["deep", "shallow"])`. Two branches with the same weights, as in a Siamese network, are a node and another that
/// [`shared`](Self::shared) applies to another input: `.layer("left", tower, "a").shared("right", "left", ["b"])`.
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
    pub fn joint(
        self,
        name: impl Into<String>,
        joint: impl Joint<T>,
        inputs: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let inputs = inputs.into_iter().map(Into::into).collect();
        self.node(name.into(), What::Own(Arc::new(OfJoint(Arc::new(joint)))), inputs)
    }

    /// With a node that applies the layer of another, with the same weights, to other inputs. Both uses add to the
    /// weights' gradients.
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

    /// The inputs of a sample of this shape.
    fn sources(&self, input: Shape, plan: &Plan) -> Result<Vec<Source>, ShapeError> {
        let named = match &self.inputs[..] {
            [] => vec![(INPUT.to_owned(), input)],
            [(name, shape)] if *shape == input => vec![(name.clone(), input)],
            [(name, shape)] => {
                let expected = format!("its input {name:?} of shape {shape}");
                return Err(plan.error(
                    input,
                    &expected,
                    "give it such samples, or name the input's own shape",
                ));
            }
            several => {
                let size: usize = several.iter().map(|(_, shape)| shape.size()).sum();
                if several.len() > MOST || *input != [size] {
                    let expected = format!(
                        "a vector of the {size} values of its inputs, of which there are up to {MOST},"
                    );
                    return Err(plan.error(input, &expected, "put Flatten before it, or name other shapes"));
                }
                several.to_vec()
            }
        };
        Ok(named
            .into_iter()
            .map(|(name, shape)| Source { name, shape, node: None, trained: false })
            .collect())
    }
}

/// What a node can be given: an input of the graph, or what a node before it gives.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    shape: Shape,
    node: Option<usize>,
    /// Whether its gradient leads to parameters.
    trained: bool,
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

/// A layer or a joint whose type is forgotten.
pub(crate) trait Part<T>: fmt::Debug + Send + Sync {
    /// Plans it under this name; its output, its replica and how many parameters it declared.
    fn bind(self: Arc<Self>, name: &str, inputs: &[Shape], plan: &mut Plan) -> Result<Bound<T>, ShapeError>;

    /// Whether it can take these values of its first input.
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError>;
}

pub(crate) type Bound<T> = (Shape, Box<dyn Replica<T>>, usize);

/// One use of a part, with its own cache.
pub(crate) trait Replica<T>: Send + Sync {
    fn forward(&mut self, pass: JointForward<'_, T>);
    fn backward<'a>(&'a mut self, pass: JointBackward<'a, T>);
    fn duplicate(&self) -> Box<dyn Replica<T>>;
}

pub(crate) struct OfLayer<L>(pub(crate) Arc<L>);
pub(crate) struct OfJoint<J>(pub(crate) Arc<J>);

impl<L: fmt::Debug> fmt::Debug for OfLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<J: fmt::Debug> fmt::Debug for OfJoint<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Real, L: Layer<T>> Part<T> for OfLayer<L> {
    fn bind(self: Arc<Self>, name: &str, inputs: &[Shape], plan: &mut Plan) -> Result<Bound<T>, ShapeError> {
        let &[input] = inputs else {
            let found = inputs.first().copied().unwrap_or(Shape::from([0]));
            let expected = format!("one input for {name:?}, a layer,");
            return Err(plan.error(found, &expected, "join several first"));
        };
        let layer = Arc::clone(&self.0);
        let (output, cache, size) = plan.inner(name, &*layer, input)?;
        Ok((output, Box::new(LayerReplica { layer, cache }), size))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }
}

impl<T: Real, J: Joint<T>> Part<T> for OfJoint<J> {
    fn bind(self: Arc<Self>, name: &str, inputs: &[Shape], plan: &mut Plan) -> Result<Bound<T>, ShapeError> {
        let joint = Arc::clone(&self.0);
        let (output, cache, size) = plan.inner_joint(name, &*joint, inputs)?;
        Ok((output, Box::new(JointReplica { joint, cache }), size))
    }

    fn check(&self, _: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Ok(())
    }
}

struct LayerReplica<L, C> {
    layer: Arc<L>,
    cache: C,
}

struct JointReplica<J, C> {
    joint: Arc<J>,
    cache: C,
}

impl<T: Real, L: Layer<T>> Replica<T> for LayerReplica<L, L::Cache> {
    fn forward(&mut self, JointForward { params, xs, y, mode, .. }: JointForward<'_, T>) {
        self.layer.forward(Forward { params, x: xs[0], y, cache: &mut self.cache, mode });
    }

    fn backward<'a>(&'a mut self, pass: JointBackward<'a, T>) {
        let JointBackward { params, grads, xs, y, dy, dxs, share, .. } = pass;
        let (x, dx, cache) = (xs[0], dxs[0].take(), &mut self.cache);
        self.layer.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }

    fn duplicate(&self) -> Box<dyn Replica<T>> {
        Box::new(Self { layer: Arc::clone(&self.layer), cache: self.cache.clone() })
    }
}

impl<T: Real, J: Joint<T>> Replica<T> for JointReplica<J, J::Cache> {
    fn forward(&mut self, JointForward { params, xs, y, mode, .. }: JointForward<'_, T>) {
        self.joint.forward(JointForward { params, xs, y, cache: &mut self.cache, mode });
    }

    fn backward<'a>(&'a mut self, pass: JointBackward<'a, T>) {
        let JointBackward { params, grads, xs, y, dy, dxs, share, .. } = pass;
        self.joint.backward(JointBackward { params, grads, xs, y, dy, dxs, cache: &mut self.cache, share });
    }

    fn duplicate(&self) -> Box<dyn Replica<T>> {
        Box::new(Self { joint: Arc::clone(&self.joint), cache: self.cache.clone() })
    }
}

/// What a [`Graph`] remembers: each node's cache, output and gradient.
pub struct Web<T: Real> {
    /// Inputs of the graph, then nodes, in order.
    sources: Vec<Source>,
    /// How many of the sources are inputs.
    inputs: usize,
    knots: Vec<Knot<T>>,
    /// Which sources are outputs of the graph.
    outputs: Vec<usize>,
    /// The gradient of each source.
    gradients: Vec<Buffer<T>>,
    /// Whether the gradient of a source holds something yet.
    filled: Vec<bool>,
    /// Gradients to be added to another, one for each place among the inputs of a node.
    scratch: [Buffer<T>; MOST],
    parameters: usize,
}

/// A node that was planned.
struct Knot<T: Real> {
    replica: Box<dyn Replica<T>>,
    /// Where its parameters lie among the graph's.
    params: Range<usize>,
    inputs: Vec<usize>,
    y: Buffer<T>,
}

impl<T: Real> Clone for Knot<T> {
    fn clone(&self) -> Self {
        let Self { replica, params, inputs, y } = self;
        Self { replica: replica.duplicate(), params: params.clone(), inputs: inputs.clone(), y: y.clone() }
    }
}

impl<T: Real> Clone for Web<T> {
    fn clone(&self) -> Self {
        Self {
            sources: self.sources.clone(),
            inputs: self.inputs,
            knots: self.knots.clone(),
            outputs: self.outputs.clone(),
            gradients: self.gradients.clone(),
            filled: self.filled.clone(),
            scratch: self.scratch.clone(),
            parameters: self.parameters,
        }
    }
}

impl<T: Real> Default for Web<T> {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            inputs: 0,
            knots: Vec::new(),
            outputs: Vec::new(),
            gradients: Vec::new(),
            filled: Vec::new(),
            scratch: std::array::from_fn(|_| Buffer::default()),
            parameters: 0,
        }
    }
}

impl<T: Real> fmt::Debug for Web<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("nodes", &self.knots.len()).finish_non_exhaustive()
    }
}

impl<T: Real> Layer<T> for Graph<T> {
    type Cache = Web<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Web<T>), ShapeError> {
        let wrong = |plan: &Plan, expected: &str, help: &str| Err(plan.error(input, expected, help));
        let mut sources = self.sources(input, plan)?;
        let (inputs, first) = (sources.len(), plan.size());
        let mut knots: Vec<Knot<T>> = Vec::new();
        let mut used = vec![false; inputs + self.nodes.len()];
        if let Some(name) = doubled(sources.iter().map(|source| &source.name)) {
            return wrong(plan, "inputs with names of their own", &format!("{name:?} is there twice"));
        }
        for Node { name, inputs: names, what } in &self.nodes {
            if sources.iter().any(|source| source.name == *name) {
                return wrong(plan, "nodes with names of their own", &format!("{name:?} is there twice"));
            }
            if names.len() > MOST {
                return wrong(plan, &format!("at most {MOST} inputs of {name:?}"), "join some of them first");
            }
            let mut from = Vec::new();
            for input in names {
                let Some(index) = sources.iter().position(|source| source.name == *input) else {
                    let help =
                        format!("there is no input or earlier node {input:?}, which {name:?} is given");
                    return wrong(plan, "nodes that are given what is before them", &help);
                };
                used[index] = true;
                from.push(index);
            }
            let shapes: Vec<Shape> = from.iter().map(|&index| sources[index].shape).collect();
            let start = plan.size() - first;
            let (shape, replica, params) = match what {
                What::Own(part) => {
                    let (shape, replica, size) = Arc::clone(part).bind(name, &shapes, plan)?;
                    (shape, replica, start..start + size)
                }
                What::Shared(of) => {
                    let original = self.nodes.iter().position(|node| node.name == *of);
                    let (Some(index), Some(What::Own(part))) = (
                        original.filter(|&index| index < knots.len()),
                        original.map(|index| &self.nodes[index].what),
                    ) else {
                        let help = format!(
                            "{of:?}, which {name:?} shares, is no earlier node with a layer of its own"
                        );
                        return wrong(plan, "nodes that share what is before them", &help);
                    };
                    // Its parameters are declared already.
                    let mut again = plan.again();
                    let (shape, replica, _) = Arc::clone(part).bind(name, &shapes, &mut again)?;
                    let params = knots[index].params.clone();
                    if !plan.absorb(again, first + params.start..first + params.end) {
                        let help = format!("{name:?} would have other parameters than {of:?}");
                        return wrong(plan, "nodes that share with inputs of the same shape", &help);
                    }
                    (shape, replica, params)
                }
            };
            let trained = !params.is_empty() || from.iter().any(|&index| sources[index].trained);
            // The gradient of what it gives.
            plan.memory(shape.size());
            sources.push(Source { name: name.clone(), shape, node: Some(knots.len()), trained });
            knots.push(Knot { replica, params, inputs: from, y: Buffer::default() });
        }
        let mut outputs = Vec::new();
        for name in &self.outputs {
            let Some(index) = sources.iter().position(|source| source.name == *name) else {
                return wrong(plan, "outputs that it has", &format!("there is no node {name:?}"));
            };
            used[index] = true;
            outputs.push(index);
        }
        if let Some(index) = used.iter().position(|used| !used) {
            let help =
                format!("nothing uses {:?}: name it as an output, or leave it out", sources[index].name);
            return wrong(plan, "nodes that something uses", &help);
        }
        let shape = match outputs[..] {
            [] => return wrong(plan, "a graph with outputs", "name them with `outputs`"),
            [one] => sources[one].shape,
            _ => Shape::from([outputs.iter().map(|&index| sources[index].shape.size()).sum::<usize>()]),
        };
        let (gradients, filled) = (vec![Buffer::default(); sources.len()], vec![false; sources.len()]);
        let parameters = plan.size() - first;
        let web = Web { sources, inputs, knots, outputs, gradients, filled, parameters, ..Web::default() };
        Ok((shape, web))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        let own = |name: &String| self.nodes.iter().find(|node| node.name == *name);
        for Node { inputs, what, .. } in &self.nodes {
            let part = match what {
                What::Own(part) => Some(part),
                What::Shared(of) => own(of).and_then(|node| match &node.what {
                    What::Own(part) => Some(part),
                    What::Shared(_) => None,
                }),
            };
            if let (Some(part), Some(x)) = (part, inputs.first().and_then(|name| self.columns(name, x))) {
                part.check(x)?;
            }
        }
        Ok(())
    }

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, Web<T>>) {
        let params = params.values(cache.parameters);
        cache.forward(params, x, y, mode);
    }

    fn backward(&self, pass: Backward<'_, T, Web<T>>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, share, .. } = pass;
        let params = params.values(cache.parameters);
        let grads = grads.values(cache.parameters);
        cache.backward(params, grads, [x, dy], dx, share);
    }
}

/// Several views of several buffers, without allocating.
type Views<'a, T> = [ArrayView2<'a, T>; MOST];

impl<T: Real> Web<T> {
    /// What the sources with these indices gave.
    fn values<'a>(
        sources: &[Source],
        inputs: &Views<'a, T>,
        knots: &'a [Knot<T>],
        which: &[usize],
    ) -> Views<'a, T> {
        let rows = inputs[0].nrows();
        std::array::from_fn(|place| match which.get(place).map(|&index| (index, &sources[index])) {
            None => inputs[0].slice_move(s![.., ..0]),
            Some((_, &Source { node: Some(node), shape, .. })) => knots[node].y.matrix(rows, shape.size()),
            Some((index, _)) => inputs[index],
        })
    }

    /// The inputs of the graph, as columns of `x`.
    fn inputs<'a>(&self, x: ArrayView2<'a, T>) -> Views<'a, T> {
        let shapes: [Shape; MOST] = std::array::from_fn(|index| {
            self.sources[..self.inputs].get(index).map_or(Shape::from([0]), |source| source.shape)
        });
        cut(&shapes, x)
    }

    /// The columns of the graph's output that each output is in.
    fn columns(&self) -> impl Iterator<Item = (usize, Range<usize>)> {
        let sizes = self.outputs.iter().map(|&index| (index, self.sources[index].shape.size()));
        sizes.scan(0, |start, (index, size)| {
            *start += size;
            Some((index, *start - size..*start))
        })
    }

    fn forward(&mut self, params: &[T], x: ArrayView2<'_, T>, mut y: ArrayViewMut2<'_, T>, mode: Mode) {
        let (rows, inputs) = (x.nrows(), self.inputs(x));
        for index in 0..self.knots.len() {
            let (before, rest) = self.knots.split_at_mut(index);
            let Knot { replica, params: own, inputs: from, y } = &mut rest[0];
            let size = self.sources[self.inputs + index].shape.size();
            y.reserve(rows * size);
            let xs = &Self::values(&self.sources, &inputs, before, from)[..from.len()];
            let (params, y, mode) =
                (Params::new(&params[own.clone()]), y.matrix_mut(rows, size), mode.inner(index));
            replica.forward(JointForward { params, xs, y, cache: &mut (), mode });
        }
        for (index, columns) in self.columns() {
            let [value, ..] = Self::values(&self.sources, &inputs, &self.knots, &[index]);
            y.slice_mut(s![.., columns]).assign(&value);
        }
    }

    fn backward(
        &mut self,
        params: &[T],
        grads: &mut [T],
        [x, dy]: [ArrayView2<'_, T>; 2],
        dx: Option<ArrayViewMut2<'_, T>>,
        share: T,
    ) {
        let (rows, inputs, count) = (x.nrows(), self.inputs(x), self.inputs);
        for (gradient, source) in self.gradients.iter_mut().zip(&self.sources) {
            gradient.reserve(rows * source.shape.size());
        }
        let most = self.sources.iter().map(|source| source.shape.size()).max().unwrap_or(0);
        self.filled.fill(false);
        for place in 0..self.outputs.len() {
            let (index, columns) = self.columns().nth(place).expect("one for each output");
            let mut gradient = self.gradients[index].matrix_mut(rows, columns.len());
            let dy = dy.slice(s![.., columns]);
            match std::mem::replace(&mut self.filled[index], true) {
                true => vector::accumulate(dy, gradient),
                false => gradient.assign(&dy),
            }
        }
        for index in (0..self.knots.len()).rev() {
            let source = count + index;
            // Nothing behind it is an output, or nobody wants what is before it.
            if !self.filled[source] || !(self.sources[source].trained || dx.is_some()) {
                continue;
            }
            let (before, rest) = self.knots.split_at_mut(index);
            let Knot { replica, params: own, inputs: from, y } = &mut rest[0];
            let size = self.sources[source].shape.size();
            let xs = &Self::values(&self.sources, &inputs, before, from)[..from.len()];
            // The gradients that it is to write: the first of a source in its place, another in scratch memory.
            let gradient = std::mem::take(&mut self.gradients[source]);
            let mut adds = [false; MOST];
            let mut room: [Buffer<T>; MOST] = std::array::from_fn(|_| Buffer::default());
            for (place, &from) in from.iter().enumerate() {
                if self.sources[from].trained || dx.is_some() {
                    adds[place] = std::mem::replace(&mut self.filled[from], true);
                    let buffer =
                        if adds[place] { &mut self.scratch[place] } else { &mut self.gradients[from] };
                    room[place] = std::mem::take(buffer);
                    if adds[place] {
                        room[place].reserve(rows * most);
                    }
                }
            }
            let mut views = room.iter_mut().zip(from.iter()).map(|(room, &from)| {
                let size = self.sources[from].shape.size();
                (room.len() >= rows * size && !room.is_empty()).then(|| room.matrix_mut(rows, size))
            });
            let mut dxs: [Option<ArrayViewMut2<'_, T>>; MOST] =
                std::array::from_fn(|_| views.next().flatten());
            replica.backward(JointBackward {
                params: Params::new(&params[own.clone()]),
                grads: Grads::new(&mut grads[own.clone()]),
                xs,
                y: y.matrix(rows, size),
                dy: gradient.matrix(rows, size),
                dxs: &mut dxs[..from.len()],
                cache: &mut (),
                share,
            });
            self.gradients[source] = gradient;
            for (place, (&from, room)) in self.knots[index].inputs.iter().zip(room).enumerate() {
                if adds[place] {
                    let size = self.sources[from].shape.size();
                    vector::accumulate(room.matrix(rows, size), self.gradients[from].matrix_mut(rows, size));
                    self.scratch[place] = room;
                } else if !room.is_empty() {
                    self.gradients[from] = room;
                }
            }
        }
        let Some(mut rest) = dx else { return };
        for (index, source) in self.sources[..count].iter().enumerate() {
            let (mut dx, after) = rest.split_at(Axis(1), source.shape.size());
            match self.filled[index] {
                true => dx.assign(&self.gradients[index].matrix(rows, source.shape.size())),
                false => dx.fill(T::zero()),
            }
            rest = after;
        }
    }
}

/// A name that is there twice.
fn doubled<'a>(names: impl Iterator<Item = &'a String>) -> Option<&'a String> {
    let mut seen = std::collections::HashSet::new();
    names.into_iter().find(|name| !seen.insert(*name))
}
