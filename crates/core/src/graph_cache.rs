//! The passes of a graph.

use std::fmt;
use std::ops::Range;

use crate::{Grads, MergeBackward, MergeForward, Mode, Params};
use chainrule_tensor::{Buffer, Real, Shape, vector};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use crate::merge::{MOST, cut};
use crate::part::Replica;

/// What a [`Graph`](crate::Graph) remembers: each node's cache, output and gradient.
#[derive(Clone)]
pub struct GraphCache<T: Real> {
    /// Inputs of the graph, then states, in order.
    pub(crate) sources: Vec<Source>,
    /// The states. Those of the sources that are no inputs.
    pub(crate) states: Vec<NodeState<T>>,
    /// Which sources are outputs of the graph.
    pub(crate) outputs: Vec<usize>,
    /// The gradient of each source.
    pub(crate) gradients: Vec<Buffer<T>>,
    /// Whether the gradient of a source holds something yet.
    pub(crate) filled: Vec<bool>,
    /// Gradients to be added to another, one for each place among the inputs of a node.
    pub(crate) scratch: [Buffer<T>; MOST],
    /// How many parameters all states have.
    pub(crate) parameters: usize,
}

/// What a node can be given: an input of the graph, or what a node before it gives.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    /// Whether its gradient leads to parameters that are not frozen.
    pub(crate) trained: bool,
}

/// A node that was planned.
pub(crate) struct NodeState<T: Real> {
    pub(crate) replica: Box<dyn Replica<T>>,
    /// Where its parameters lie among the graph's.
    pub(crate) params: Range<usize>,
    /// Its inputs among the sources.
    pub(crate) inputs: Vec<usize>,
    /// How many states move the running statistics among its parameters, which then go to the mean of what they want.
    pub(crate) uses: usize,
    pub(crate) y: Buffer<T>,
}

impl<T: Real> Clone for NodeState<T> {
    fn clone(&self) -> Self {
        let Self { replica, params, inputs, uses, y } = self;
        let (replica, params, inputs, y) = (replica.duplicate(), params.clone(), inputs.clone(), y.clone());
        Self { replica, params, inputs, uses: *uses, y }
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
            scratch: std::array::from_fn(|_| Buffer::default()),
            parameters: 0,
        }
    }
}

impl<T: Real> fmt::Debug for GraphCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphCache").field("states", &self.states.len()).finish_non_exhaustive()
    }
}

/// Several views of several buffers, without allocating.
type Views<'a, T> = [ArrayView2<'a, T>; MOST];

/// What the sources with these indices gave.
fn values<'a, T: Real>(
    sources: &[Source],
    inputs: &[ArrayView2<'a, T>],
    states: &'a [NodeState<T>],
    which: &[usize],
    x: ArrayView2<'a, T>,
) -> Views<'a, T> {
    std::array::from_fn(|place| match which.get(place) {
        None => x.slice_move(s![.., ..0]),
        Some(&index) => match index.checked_sub(inputs.len()) {
            None => inputs[index],
            Some(node) => states[node].y.matrix(x.nrows(), sources[index].shape.size()),
        },
    })
}

impl<T: Real> GraphCache<T> {
    /// How many of the sources are inputs.
    fn count(&self) -> usize {
        self.sources.len() - self.states.len()
    }

    /// The inputs of the graph, as columns of `x`.
    fn inputs<'a>(&self, x: ArrayView2<'a, T>) -> Views<'a, T> {
        let inputs = &self.sources[..self.count()];
        let shapes: [Shape; MOST] =
            std::array::from_fn(|index| inputs.get(index).map_or(Shape::from([0]), |source| source.shape));
        cut(&shapes, x)
    }

    /// The columns of the graph's output that each output is in.
    fn columns<'a>(
        outputs: &'a [usize],
        sources: &'a [Source],
    ) -> impl Iterator<Item = (usize, Range<usize>)> + use<'a, T> {
        outputs.iter().scan(0, |start, &index| {
            let before = *start;
            *start += sources[index].shape.size();
            Some((index, before..*start))
        })
    }

    pub(crate) fn forward(
        &mut self,
        params: &[T],
        x: ArrayView2<'_, T>,
        mut y: ArrayViewMut2<'_, T>,
        mode: Mode,
    ) {
        let (rows, count) = (x.nrows(), self.count());
        let inputs = &self.inputs(x)[..count];
        for index in 0..self.states.len() {
            let (before, rest) = self.states.split_at_mut(index);
            let NodeState { replica, params: own, inputs: from, y, .. } = &mut rest[0];
            let size = self.sources[count + index].shape.size();
            y.reserve(rows * size);
            let xs = &values(&self.sources, inputs, before, from, x)[..from.len()];
            let (params, y) = (Params::new(&params[own.clone()]), y.matrix_mut(rows, size));
            replica.forward(MergeForward { params, xs, y, cache: &mut (), mode: mode.inner(index) });
        }
        for (index, columns) in Self::columns(&self.outputs, &self.sources) {
            let [value, ..] = values(&self.sources, inputs, &self.states, &[index], x);
            y.slice_mut(s![.., columns]).assign(&value);
        }
    }

    pub(crate) fn backward(
        &mut self,
        params: &[T],
        grads: &mut [T],
        [x, dy]: [ArrayView2<'_, T>; 2],
        dx: Option<ArrayViewMut2<'_, T>>,
        share: T,
    ) {
        let (rows, count) = (x.nrows(), self.count());
        let inputs = &self.inputs(x)[..count];
        let Self { sources, states, outputs, gradients, filled, scratch, .. } = self;
        // Where neither parameters nor anybody else wait for it, a gradient is not made.
        let wanted = |source: usize| sources[source].trained || dx.is_some();
        filled.fill(false);
        for (index, columns) in Self::columns(outputs, sources).filter(|(index, _)| wanted(*index)) {
            gradients[index].reserve(rows * columns.len());
            let mut gradient = gradients[index].matrix_mut(rows, columns.len());
            let dy = dy.slice(s![.., columns]);
            match std::mem::replace(&mut filled[index], true) {
                true => vector::accumulate(dy, gradient),
                false => gradient.assign(&dy),
            }
        }
        for index in (0..states.len()).rev() {
            let source = count + index;
            if !filled[source] {
                continue;
            }
            let (before, rest) = states.split_at_mut(index);
            let NodeState { replica, params: own, inputs: from, uses, y } = &mut rest[0];
            let size = sources[source].shape.size();
            let xs = &values(sources, inputs, before, from, x)[..from.len()];
            let gradient = std::mem::take(&mut gradients[source]);
            // What it is to write: the first gradient of a source in its place, another in scratch memory.
            let mut adds = [false; MOST];
            let mut rooms: [Option<Buffer<T>>; MOST] = std::array::from_fn(|place| {
                let from = from.get(place).copied().filter(|&from| wanted(from))?;
                adds[place] = std::mem::replace(&mut filled[from], true);
                let room = if adds[place] { &mut scratch[place] } else { &mut gradients[from] };
                room.reserve(rows * sources[from].shape.size());
                Some(std::mem::take(room))
            });
            let mut views = rooms.iter_mut().zip(from.iter()).map(|(room, &from)| {
                room.as_mut().map(|room| room.matrix_mut(rows, sources[from].shape.size()))
            });
            let mut dxs: [Option<ArrayViewMut2<'_, T>>; MOST] =
                std::array::from_fn(|_| views.next().flatten());
            replica.backward(MergeBackward {
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
            for (place, (&from, room)) in from.iter().zip(rooms).enumerate() {
                let Some(room) = room else { continue };
                if adds[place] {
                    let size = sources[from].shape.size();
                    vector::accumulate(room.matrix(rows, size), gradients[from].matrix_mut(rows, size));
                    scratch[place] = room;
                } else {
                    gradients[from] = room;
                }
            }
        }
        let Some(mut rest) = dx else { return };
        for (index, source) in sources[..count].iter().enumerate() {
            let size = source.shape.size();
            let (mut dx, after) = rest.split_at(Axis(1), size);
            match filled[index] {
                true => dx.assign(&gradients[index].matrix(rows, size)),
                false => dx.fill(T::zero()),
            }
            rest = after;
        }
    }
}
