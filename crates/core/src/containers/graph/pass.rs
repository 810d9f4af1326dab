//! The passes of a graph.

use std::fmt;
use std::ops::Range;

use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use crate::containers::erased::ErasedNode;
use crate::containers::side_by_side::{MAX_INPUTS, split};
use crate::grads::Grads;
use crate::layer::{Backward, Forward};
use crate::merge::{MergeBackward, MergeForward};
use crate::params::Params;

/// What a graph remembers: each node's cache, output and gradient.
#[derive(Clone)]
pub struct GraphCache<T: Real> {
    /// The inputs of the graph, then its nodes, in order.
    pub(crate) sources: Vec<Source>,
    /// The states of the nodes.
    pub(crate) states: Vec<NodeState<T>>,
    /// Which sources are outputs of the graph.
    pub(crate) outputs: Vec<usize>,
    /// The gradient of each source.
    pub(crate) gradients: Vec<Buffer<T>>,
    /// Whether the gradient of a source holds something yet.
    pub(crate) filled: Vec<bool>,
    /// Gradients to be added to others, one for each input of a node.
    pub(crate) scratch: [Buffer<T>; MAX_INPUTS],
    /// The number of parameters of all nodes.
    pub(crate) parameters: usize,
}

/// What a node can be applied to: an input of the graph or an earlier node.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// Whether its gradient leads to parameters that are not frozen.
    pub(crate) trained: bool,
}

/// A node that was planned.
pub(crate) struct NodeState<T: Real> {
    pub(crate) node: Box<dyn ErasedNode<T>>,
    /// The range of its parameters among the graph's.
    pub(crate) params: Range<usize>,
    /// The indices of its inputs among the sources.
    pub(crate) inputs: Vec<usize>,
    /// The number of nodes that move the running statistics among its parameters, which move to the mean of theirs.
    pub(crate) uses: usize,
    pub(crate) y: Buffer<T>,
}

impl<T: Real> Clone for NodeState<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.duplicate(),
            params: self.params.clone(),
            inputs: self.inputs.clone(),
            uses: self.uses,
            y: self.y.clone(),
        }
    }
}

impl<T: Real> Default for GraphCache<T> {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            states: Vec::new(),
            outputs: Vec::new(),
            gradients: Vec::new(),
            filled: Vec::new(),
            scratch: Default::default(),
            parameters: 0,
        }
    }
}

impl<T: Real> fmt::Debug for GraphCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphCache").field("nodes", &self.states.len()).finish_non_exhaustive()
    }
}

/// Views of several buffers, without allocating.
type Views<'a, T> = [ArrayView2<'a, T>; MAX_INPUTS];

/// The values of the sources with these indices.
fn values<'a, T: Real>(
    sources: &[Source],
    inputs: &[ArrayView2<'a, T>],
    states: &'a [NodeState<T>],
    indices: &[usize],
    x: ArrayView2<'a, T>,
) -> Views<'a, T> {
    std::array::from_fn(|position| match indices.get(position) {
        None => x.slice_move(s![.., ..0]),
        Some(&index) => match index.checked_sub(inputs.len()) {
            None => inputs[index],
            Some(node) => states[node].y.matrix(x.nrows(), sources[index].shape.size()),
        },
    })
}

impl<T: Real> GraphCache<T> {
    /// The number of sources that are inputs of the graph.
    fn input_count(&self) -> usize {
        self.sources.len() - self.states.len()
    }

    /// The inputs of the graph, as columns of `x`.
    fn inputs<'a>(&self, x: ArrayView2<'a, T>) -> Views<'a, T> {
        let inputs = &self.sources[..self.input_count()];
        let shapes: [Shape; MAX_INPUTS] =
            std::array::from_fn(|index| inputs.get(index).map_or(Shape::from([0]), |source| source.shape));
        split(&shapes, x)
    }
}

/// The columns of the graph's output that each output occupies.
fn columns<'a>(outputs: &'a [usize], sources: &'a [Source]) -> impl Iterator<Item = (usize, Range<usize>)> {
    outputs.iter().scan(0, |start, &index| {
        let before = *start;
        *start += sources[index].shape.size();
        Some((index, before..*start))
    })
}

/// The forward pass of a graph: node by node, each to its own buffer.
pub(crate) fn forward<T: Real>(pass: Forward<'_, T, GraphCache<T>>) {
    let Forward { mut params, x, mut y, cache, mode } = pass;
    let params = params.values(cache.parameters);
    let rows = x.nrows();
    let count = cache.input_count();
    let inputs = &cache.inputs(x)[..count];
    for index in 0..cache.states.len() {
        let (before, rest) = cache.states.split_at_mut(index);
        let NodeState { node, params: own, inputs: from, y, .. } = &mut rest[0];
        let size = cache.sources[count + index].shape.size();
        y.reserve(rows * size);
        let xs = &values(&cache.sources, inputs, before, from, x)[..from.len()];
        let params = Params::new(&params[own.clone()]);
        let y = y.matrix_mut(rows, size);
        node.forward(MergeForward { params, xs, y, cache: &mut (), mode: mode.inner(index) });
    }
    for (index, columns) in columns(&cache.outputs, &cache.sources) {
        let [value, ..] = values(&cache.sources, inputs, &cache.states, &[index], x);
        y.slice_mut(s![.., columns]).assign(&value);
    }
}

/// The backward pass of a graph, from the last node to the first. The gradient of a source is the sum over its uses.
pub(crate) fn backward<T: Real>(pass: Backward<'_, T, GraphCache<T>>) {
    let Backward { mut params, mut grads, x, dy, dx, cache, share, .. } = pass;
    let params = params.values(cache.parameters);
    let grads = grads.values(cache.parameters);
    let rows = x.nrows();
    let count = cache.input_count();
    let inputs = &cache.inputs(x)[..count];
    let GraphCache { sources, states, outputs, gradients, filled, scratch, .. } = cache;
    // A gradient is computed only if it leads to parameters or the caller needs that of the input.
    let needed = |source: usize| sources[source].trained || dx.is_some();
    filled.fill(false);
    for (index, columns) in columns(outputs, sources) {
        if !needed(index) {
            continue;
        }
        gradients[index].reserve(rows * columns.len());
        let mut gradient = gradients[index].matrix_mut(rows, columns.len());
        let dy = dy.slice(s![.., columns]);
        if std::mem::replace(&mut filled[index], true) {
            vector::accumulate(dy, gradient);
        } else {
            gradient.assign(&dy);
        }
    }
    for index in (0..states.len()).rev() {
        let source = count + index;
        if !filled[source] {
            continue;
        }
        let (before, rest) = states.split_at_mut(index);
        let NodeState { node, params: own, inputs: from, uses, y } = &mut rest[0];
        let size = sources[source].shape.size();
        let xs = &values(sources, inputs, before, from, x)[..from.len()];
        let gradient = std::mem::take(&mut gradients[source]);
        // The node overwrites its dxs: the first gradient of a source is written where it belongs, others to scratch
        // memory, from where they are added to it.
        let mut adds = [false; MAX_INPUTS];
        let mut buffers: [Option<Buffer<T>>; MAX_INPUTS] = std::array::from_fn(|position| {
            let from = *from.get(position)?;
            if !needed(from) {
                return None;
            }
            adds[position] = std::mem::replace(&mut filled[from], true);
            let buffer = if adds[position] { &mut scratch[position] } else { &mut gradients[from] };
            buffer.reserve(rows * sources[from].shape.size());
            Some(std::mem::take(buffer))
        });
        let mut views = buffers.iter_mut().zip(from.iter()).map(|(buffer, &from)| {
            buffer.as_mut().map(|buffer| buffer.matrix_mut(rows, sources[from].shape.size()))
        });
        let mut dxs: [Option<ArrayViewMut2<'_, T>>; MAX_INPUTS] =
            std::array::from_fn(|_| views.next().flatten());
        node.backward(MergeBackward {
            params: Params::new(&params[own.clone()]),
            grads: Grads::new(&mut grads[own.clone()]),
            xs,
            y: y.matrix(rows, size),
            dy: gradient.matrix(rows, size),
            dxs: &mut dxs[..from.len()],
            cache: &mut (),
            share: share / T::of(*uses as f64),
        });
        gradients[source] = gradient;
        for (position, (&from, buffer)) in from.iter().zip(buffers).enumerate() {
            let Some(buffer) = buffer else { continue };
            if adds[position] {
                let size = sources[from].shape.size();
                vector::accumulate(buffer.matrix(rows, size), gradients[from].matrix_mut(rows, size));
                scratch[position] = buffer;
            } else {
                gradients[from] = buffer;
            }
        }
    }
    let Some(mut rest) = dx else { return };
    for (index, source) in sources[..count].iter().enumerate() {
        let size = source.shape.size();
        let (mut dx, after) = rest.split_at(Axis(1), size);
        if filled[index] {
            dx.assign(&gradients[index].matrix(rows, size));
        } else {
            dx.fill(T::zero());
        }
        rest = after;
    }
}
