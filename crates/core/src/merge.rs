//! The trait of layers with several inputs.

use std::fmt::Debug;

use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::describe::Description;
use crate::error::ShapeError;
use crate::grads::Grads;
use crate::label::Label;
use crate::layer::Mode;
use crate::params::Params;
use crate::plan::Plan;

/// A layer with several inputs: a differentiable function of several batches with the same number of rows, and of
/// parameters. All that is said of a [`Layer`](crate::Layer) holds for it too.
pub trait Merge<T: Real>: Debug + Send + Sync + 'static {
    /// Like [`Layer::Cache`](crate::Layer::Cache).
    type Cache: Clone + Default + Send + Sync + 'static;

    /// Like [`Layer::plan`](crate::Layer::plan), for inputs of these shapes.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the layer cannot take this number of inputs, or inputs of these shapes.
    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError>;

    /// Computes the output `y` from the inputs `xs`; overwrites `y`.
    fn forward(&self, pass: MergeForward<'_, T, Self::Cache>);

    /// Adds the gradients of the parameters to `grads`, and overwrites each of `dxs` that is requested.
    fn backward(&self, pass: MergeBackward<'_, T, Self::Cache>);

    /// Like [`Layer::label`](crate::Layer::label).
    fn label(&self) -> Label {
        Label::of_text(&format!("{self:?}"))
    }

    /// Like [`Layer::description`](crate::Layer::description).
    fn description(&self) -> Description {
        Description::of_debug(self).with("debug", format!("{self:?}"))
    }
}

/// The arguments of the forward pass of a [`Merge`]: like [`Forward`](crate::Forward), with several inputs.
#[derive(Debug)]
pub struct MergeForward<'a, T, C = ()> {
    /// The layer's parameters, to be taken in the order of its `plan`.
    pub params: Params<'a, T>,
    /// The inputs, each `[rows, size of a sample of it]`; they may be strided.
    pub xs: &'a [ArrayView2<'a, T>],
    /// The output, to be overwritten.
    pub y: ArrayViewMut2<'a, T>,
    /// What this replica remembers between the passes.
    pub cache: &'a mut C,
    /// Whether this is training.
    pub mode: Mode,
}

/// The arguments of the backward pass of a [`Merge`]: like [`Backward`](crate::Backward), with several inputs.
#[derive(Debug)]
pub struct MergeBackward<'a, T, C = ()> {
    /// The layer's parameters, to be taken in the order of its `plan`.
    pub params: Params<'a, T>,
    /// Their gradients, to be taken in the same order and added to.
    pub grads: Grads<'a, T>,
    /// The inputs of the forward pass.
    pub xs: &'a [ArrayView2<'a, T>],
    /// The output of the forward pass.
    pub y: ArrayView2<'a, T>,
    /// The gradient of the loss with respect to the output.
    pub dy: ArrayView2<'a, T>,
    /// The gradients with respect to the inputs, each to be overwritten; `None` if it is not needed.
    pub dxs: &'a mut [Option<ArrayViewMut2<'a, T>>],
    /// What this replica remembers from the forward pass.
    pub cache: &'a mut C,
    /// The number of rows of this pass as a fraction of the whole batch's.
    pub share: T,
}
