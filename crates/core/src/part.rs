//! Layers and merges whose types are forgotten.

use std::fmt;
use std::sync::Arc;

use chainrule_tensor::{Real, Shape};
use ndarray::ArrayView2;

use crate::{Backward, Forward, Layer, Merge, MergeBackward, MergeForward, Plan, ShapeError, ValueError};

/// A layer or a merge whose type is forgotten.
pub(crate) trait Part<T>: fmt::Debug + Send + Sync {
    /// Plans it under this name; its output, its replica, and how many parameters it declared.
    fn bind(self: Arc<Self>, name: &str, inputs: &[Shape], plan: &mut Plan) -> Result<Bound<T>, ShapeError>;

    /// Whether it can take these values of its first input.
    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError>;

    /// As [`Layer::is_identity`].
    fn is_identity(&self) -> bool;
}

pub(crate) type Bound<T> = (Shape, Box<dyn Replica<T>>, usize);

/// One use of a part, with its own cache.
pub(crate) trait Replica<T>: Send + Sync {
    fn forward(&mut self, pass: MergeForward<'_, T>);
    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>);
    fn duplicate(&self) -> Box<dyn Replica<T>>;
}

pub(crate) struct OfLayer<L>(pub(crate) Arc<L>);
pub(crate) struct OfMerge<J>(pub(crate) Arc<J>);

impl<L: fmt::Debug> fmt::Debug for OfLayer<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<J: fmt::Debug> fmt::Debug for OfMerge<J> {
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

    fn is_identity(&self) -> bool {
        self.0.is_identity()
    }
}

impl<T: Real, J: Merge<T>> Part<T> for OfMerge<J> {
    fn bind(self: Arc<Self>, name: &str, inputs: &[Shape], plan: &mut Plan) -> Result<Bound<T>, ShapeError> {
        let merge = Arc::clone(&self.0);
        let (output, cache, size) = plan.inner_merge(name, &*merge, inputs)?;
        Ok((output, Box::new(MergeReplica { merge, cache }), size))
    }

    fn check(&self, _: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Ok(())
    }

    fn is_identity(&self) -> bool {
        false
    }
}

struct LayerReplica<L, C> {
    layer: Arc<L>,
    cache: C,
}

struct MergeReplica<J, C> {
    merge: Arc<J>,
    cache: C,
}

impl<T: Real, L: Layer<T>> Replica<T> for LayerReplica<L, L::Cache> {
    fn forward(&mut self, MergeForward { params, xs, y, mode, .. }: MergeForward<'_, T>) {
        self.layer.forward(Forward { params, x: xs[0], y, cache: &mut self.cache, mode });
    }

    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>) {
        let MergeBackward { params, grads, xs, y, dy, dxs, share, .. } = pass;
        let (x, dx, cache) = (xs[0], dxs[0].take(), &mut self.cache);
        self.layer.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }

    fn duplicate(&self) -> Box<dyn Replica<T>> {
        Box::new(Self { layer: Arc::clone(&self.layer), cache: self.cache.clone() })
    }
}

impl<T: Real, J: Merge<T>> Replica<T> for MergeReplica<J, J::Cache> {
    fn forward(&mut self, MergeForward { params, xs, y, mode, .. }: MergeForward<'_, T>) {
        self.merge.forward(MergeForward { params, xs, y, cache: &mut self.cache, mode });
    }

    fn backward<'a>(&'a mut self, pass: MergeBackward<'a, T>) {
        let MergeBackward { params, grads, xs, y, dy, dxs, share, .. } = pass;
        self.merge.backward(MergeBackward { params, grads, xs, y, dy, dxs, cache: &mut self.cache, share });
    }

    fn duplicate(&self) -> Box<dyn Replica<T>> {
        Box::new(Self { merge: Arc::clone(&self.merge), cache: self.cache.clone() })
    }
}
