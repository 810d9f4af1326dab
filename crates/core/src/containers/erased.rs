//! Layers and merges of erased types, as containers hold them.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use chainrule_tensor::{Real, Shape};
use ndarray::ArrayView2;

use crate::describe::Description;
use crate::error::{ShapeError, ValueError};
use crate::label::Label;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::{Merge, MergeBackward, MergeForward};
use crate::plan::Plan;
use crate::watch::{self, LayerPass};

/// A layer or a merge of erased type.
pub(crate) trait Erased<T>: fmt::Debug + Send + Sync {
    /// Plans one use of it, for inputs of these shapes, as a part of the layer that is being planned.
    fn bind_here(
        self: Arc<Self>,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<(Shape, Box<dyn ErasedNode<T>>), ShapeError>;

    /// See [`Layer::label`].
    fn label(&self) -> Label;

    /// See [`Layer::description`].
    fn description(&self) -> Description;

    /// Whether it is a merge.
    fn is_merge(&self) -> bool;

    /// The layer or merge, to ask for its type.
    fn as_any(&self) -> &dyn Any;

    /// Whether it can take these values of its first input.
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError>;

    /// See [`Layer::is_identity`].
    fn is_identity(&self) -> bool;
}

impl<T: Real> dyn Erased<T> {
    /// Plans one use of it, under this name, for inputs of these shapes. It is compiled once for all of them.
    pub(crate) fn bind(
        self: Arc<Self>,
        name: &str,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<Bound<T>, ShapeError> {
        let input = if self.is_merge() {
            inputs.first().copied().unwrap_or(Shape::from([0]))
        } else {
            only(inputs, &format!("{name:?}"), plan)?
        };
        let what = (&Arc::clone(&self) as &dyn fmt::Debug, &self.label());
        let infos = plan.layers().len();
        let (output, node, parameters) =
            plan.nested(name, what, input, |plan| self.bind_here(inputs, plan))?;
        let path = plan.layers()[infos].path.as_str().into();
        Ok(Bound { node: Box::new(Watchable { node, path }), output, parameters })
    }
}

/// One use of a layer or merge, as [`bind`](dyn Erased::bind) returns it.
pub(crate) struct Bound<T> {
    pub(crate) node: Box<dyn ErasedNode<T>>,
    /// The shape of an output sample.
    pub(crate) output: Shape,
    /// The number of parameters that it declared.
    pub(crate) parameters: usize,
}

/// A layer or a merge bound to its cache: the types of both are erased together, so that no cast is needed.
///
/// The `cache` of a pass is not used. A layer has one input.
pub(crate) trait ErasedNode<T>: Send + Sync {
    fn forward(&mut self, pass: MergeForward<'_, T>);
    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>);
    /// The same layer with a copy of the cache.
    fn duplicate(&self) -> Box<dyn ErasedNode<T>>;
}

/// This layer, with its type erased.
pub(crate) fn erase_layer<T: Real>(layer: impl Layer<T>) -> Arc<dyn Erased<T>> {
    Arc::new(OneInput(layer))
}

/// This merge, with its type erased.
pub(crate) fn erase_merge<T: Real>(merge: impl Merge<T>) -> Arc<dyn Erased<T>> {
    Arc::new(SeveralInputs(merge))
}

/// A layer. What implements both traits would otherwise be both.
struct OneInput<L>(L);

/// A merge.
struct SeveralInputs<M>(M);

/// What is bound, and its cache.
struct WithCache<E, C> {
    erased: Arc<E>,
    cache: C,
}

/// A node that can be [watched](crate::watch), under its path.
struct Watchable<T> {
    node: Box<dyn ErasedNode<T>>,
    path: Arc<str>,
}

impl<T: Real> ErasedNode<T> for Watchable<T> {
    fn forward(&mut self, pass: MergeForward<'_, T>) {
        if !watch::is_watched() {
            return self.node.forward(pass);
        }
        let MergeForward { params, xs, mut y, cache, mode } = pass;
        let begin = Instant::now();
        self.node.forward(MergeForward { params, xs, y: y.view_mut(), cache, mode });
        let time = begin.elapsed();
        watch::show(&LayerPass::Forward { path: &self.path, xs, y: y.view(), time });
    }

    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>) {
        if !watch::is_watched() {
            return self.node.backward(pass);
        }
        let MergeBackward { params, grads, xs, y, dy, dxs, cache, share } = pass;
        let begin = Instant::now();
        {
            let mut dxs: Vec<_> = dxs.iter_mut().map(|dx| dx.as_mut().map(|dx| dx.view_mut())).collect();
            self.node.backward(MergeBackward { params, grads, xs, y, dy, dxs: &mut dxs, cache, share });
        }
        let time = begin.elapsed();
        let dxs: Vec<_> = dxs.iter().map(|dx| dx.as_ref().map(|dx| dx.view())).collect();
        watch::show(&LayerPass::Backward { path: &self.path, dy, dxs: &dxs, time });
    }

    fn duplicate(&self) -> Box<dyn ErasedNode<T>> {
        Box::new(Self { node: self.node.duplicate(), path: Arc::clone(&self.path) })
    }
}

impl<L: fmt::Debug> fmt::Debug for OneInput<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<M: fmt::Debug> fmt::Debug for SeveralInputs<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The one input of a layer.
fn only(inputs: &[Shape], what: &str, plan: &Plan) -> Result<Shape, ShapeError> {
    if let &[input] = inputs {
        return Ok(input);
    }
    let found = inputs.first().copied().unwrap_or(Shape::from([0]));
    Err(plan.error(found, &format!("one input for {what}, which is a layer,"), "merge several inputs first"))
}

impl<T: Real, L: Layer<T>> Erased<T> for OneInput<L> {
    fn bind_here(
        self: Arc<Self>,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<(Shape, Box<dyn ErasedNode<T>>), ShapeError> {
        let (output, cache) = self.0.plan(only(inputs, "this", plan)?, plan)?;
        Ok((output, Box::new(WithCache { erased: self, cache })))
    }

    fn label(&self) -> Label {
        self.0.label()
    }

    fn description(&self) -> Description {
        self.0.description()
    }

    fn is_merge(&self) -> bool {
        false
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn is_identity(&self) -> bool {
        self.0.is_identity()
    }
}

impl<T: Real, M: Merge<T>> Erased<T> for SeveralInputs<M> {
    fn bind_here(
        self: Arc<Self>,
        inputs: &[Shape],
        plan: &mut Plan,
    ) -> Result<(Shape, Box<dyn ErasedNode<T>>), ShapeError> {
        let (output, cache) = self.0.plan(inputs, plan)?;
        Ok((output, Box::new(WithCache { erased: self, cache })))
    }

    fn label(&self) -> Label {
        self.0.label()
    }

    fn description(&self) -> Description {
        self.0.description()
    }

    fn is_merge(&self) -> bool {
        true
    }

    fn as_any(&self) -> &dyn Any {
        &self.0
    }

    fn check(&self, _: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Ok(())
    }

    fn is_identity(&self) -> bool {
        false
    }
}

impl<T: Real, L: Layer<T>> ErasedNode<T> for WithCache<OneInput<L>, L::Cache> {
    fn forward(&mut self, MergeForward { params, xs, y, mode, .. }: MergeForward<'_, T>) {
        let Self { erased, cache } = self;
        erased.0.forward(Forward { params, x: xs[0], y, cache, mode });
    }

    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>) {
        let MergeBackward { params, grads, xs, y, dy, dxs, share, .. } = pass;
        let Self { erased, cache } = self;
        erased.0.backward(Backward { params, grads, x: xs[0], y, dy, dx: dxs[0].take(), cache, share });
    }

    fn duplicate(&self) -> Box<dyn ErasedNode<T>> {
        Box::new(Self { erased: Arc::clone(&self.erased), cache: self.cache.clone() })
    }
}

impl<T: Real, M: Merge<T>> ErasedNode<T> for WithCache<SeveralInputs<M>, M::Cache> {
    fn forward(&mut self, MergeForward { params, xs, y, mode, .. }: MergeForward<'_, T>) {
        let Self { erased, cache } = self;
        erased.0.forward(MergeForward { params, xs, y, cache, mode });
    }

    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>) {
        let MergeBackward { params, grads, xs, y, dy, dxs, share, .. } = pass;
        let Self { erased, cache } = self;
        erased.0.backward(MergeBackward { params, grads, xs, y, dy, dxs, cache, share });
    }

    fn duplicate(&self) -> Box<dyn ErasedNode<T>> {
        Box::new(Self { erased: Arc::clone(&self.erased), cache: self.cache.clone() })
    }
}
