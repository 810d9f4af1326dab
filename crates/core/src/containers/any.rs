//! A layer or merge of any type: what a registry builds, and what layers around others hold that are built from descriptions.

use std::any::Any;
use std::fmt;
use std::slice;
use std::sync::Arc;

use chainrule_tensor::{Real, Shape};
use ndarray::ArrayView2;

use super::erased::{Erased, ErasedNode, erase_layer, erase_merge};
use crate::error::{ShapeError, ValueError};
use crate::label::Label;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::{Merge, MergeBackward, MergeForward};
use crate::plan::Plan;
use crate::{Description, DescriptionError, Place, SettingValue, Value};

/// A layer of any type: the [`Kind`](crate::Kind) of layers, which a [`Registry`](crate::Registry) builds from a description.
///
/// It is itself a layer, and prints, plans and computes as the one that it holds.
///
/// ```
/// use chainrule_core::{AnyLayer, Registry, register_containers};
/// let mut registry = Registry::new();
/// register_containers::<f32>(&mut registry);
/// let layer: AnyLayer<f32> = registry.build(&"residual(sequential([]))".parse()?)?;
/// assert_eq!(format!("{layer:?}"), "Residual(Sequential[])");
/// # Ok::<(), chainrule_core::DescriptionError>(())
/// ```
pub struct AnyLayer<T>(pub(crate) Arc<dyn Erased<T>>);

/// A merge of any type: the [`Kind`](crate::Kind) of merges. It is itself a [`Merge`].
pub struct AnyMerge<T>(pub(crate) Arc<dyn Erased<T>>);

impl<T: Real> AnyLayer<T> {
    /// This layer, which may be one of these already.
    pub fn new(layer: impl Layer<T>) -> Self {
        (&layer as &dyn Any).downcast_ref().cloned().unwrap_or_else(|| Self(erase_layer(layer)))
    }
}

impl<T: Real> AnyMerge<T> {
    /// This merge, which may be one of these already.
    pub fn new(merge: impl Merge<T>) -> Self {
        (&merge as &dyn Any).downcast_ref().cloned().unwrap_or_else(|| Self(erase_merge(merge)))
    }
}

/// The cache of an [`AnyLayer`] or [`AnyMerge`], with the layer that was planned.
pub struct AnyCache<T>(Option<Box<dyn ErasedNode<T>>>, ());

impl<T> AnyCache<T> {
    /// What was planned, and the cache that its passes do not use.
    fn node(&mut self) -> (&mut dyn ErasedNode<T>, &mut ()) {
        let Self(node, unused) = self;
        (&mut **node.as_mut().expect("a pass is given the cache of a plan"), unused)
    }
}

impl<T> Clone for AnyCache<T> {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(|node| node.duplicate()), ())
    }
}

impl<T> Default for AnyCache<T> {
    fn default() -> Self {
        Self(None, ())
    }
}

impl<T> fmt::Debug for AnyCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyCache").finish_non_exhaustive()
    }
}

/// What the two handles have in common.
macro_rules! handle {
    ($name:ident) => {
        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                Self(Arc::clone(&self.0))
            }
        }

        impl<T> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl<T: Real> SettingValue for $name<T> {
            fn from_value(value: &Value, place: &Place<'_>) -> Result<Self, DescriptionError> {
                place.build(value)
            }

            fn to_value(&self) -> Value {
                self.0.description().into()
            }
        }
    };
}
handle!(AnyLayer);
handle!(AnyMerge);

impl<T: Real> Layer<T> for AnyLayer<T> {
    type Cache = AnyCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, AnyCache<T>), ShapeError> {
        let (output, node) = Arc::clone(&self.0).bind_here(&[input], plan)?;
        Ok((output, AnyCache(Some(node), ())))
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, AnyCache<T>>) {
        let xs = slice::from_ref(&x);
        let (node, cache) = cache.node();
        node.forward(MergeForward { params, xs, y, cache, mode });
    }

    fn backward(&self, pass: Backward<'_, T, AnyCache<T>>) {
        let Backward { params, grads, x, y, dy, mut dx, cache, share } = pass;
        let (xs, dxs) = (slice::from_ref(&x), slice::from_mut(&mut dx));
        let (node, cache) = cache.node();
        node.backward(MergeBackward { params, grads, xs, y, dy, dxs, cache, share });
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn label(&self) -> Label {
        self.0.label()
    }

    fn description(&self) -> Description {
        self.0.description()
    }

    fn is_identity(&self) -> bool {
        self.0.is_identity()
    }
}

impl<T: Real> Merge<T> for AnyMerge<T> {
    type Cache = AnyCache<T>;

    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, AnyCache<T>), ShapeError> {
        let (output, node) = Arc::clone(&self.0).bind_here(inputs, plan)?;
        Ok((output, AnyCache(Some(node), ())))
    }

    fn forward(&self, MergeForward { params, xs, y, cache, mode }: MergeForward<'_, T, AnyCache<T>>) {
        let (node, cache) = cache.node();
        node.forward(MergeForward { params, xs, y, cache, mode });
    }

    fn backward(&self, pass: MergeBackward<'_, T, AnyCache<T>>) {
        let MergeBackward { params, grads, xs, y, dy, dxs, cache, share } = pass;
        let (node, cache) = cache.node();
        node.backward(MergeBackward { params, grads, xs, y, dy, dxs, cache, share });
    }

    fn label(&self) -> Label {
        self.0.label()
    }

    fn description(&self) -> Description {
        self.0.description()
    }
}
