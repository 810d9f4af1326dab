//! The trait that every layer implements, and what its two passes are given.

use std::fmt::Debug;

use crate::{Grads, Params, Plan, ShapeError, ValueError};
use chainrule_tensor::{Real, Seed, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

/// A layer: a differentiable function of a batch and of parameters.
///
/// A layer is a description: immutable, shared between threads, and without weights. Its weights are a range
/// of the model's flat parameters, which it declares in [`plan`](Self::plan) and takes, in the same order,
/// in [`forward`](Self::forward) and [`backward`](Self::backward). The batch is a matrix, one sample a row,
/// its features flattened in row-major order.
///
/// The crate's documentation derives the passes of a dense layer; a new layer is tested in one line by
/// [`gradcheck::gradients`](crate::gradcheck::gradients).
pub trait Layer<T: Real>: Debug + Send + Sync + 'static {
    /// What one replica remembers between `forward` and `backward`, and its scratch memory. `()` for most.
    type Cache: Clone + Default + Send + Sync + 'static;

    /// Declares the parameters for samples of shape `input`; returns the shape of an output sample, and an
    /// empty cache. Memory in the cache may be allocated in the first pass, and is kept.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] (see [`Plan::error`]) if the layer cannot take such samples. After `plan`, the passes
    /// have nothing left to check.
    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError>;

    /// Computes the output `y` from the input `x`; overwrites `y`.
    fn forward(&self, pass: Forward<'_, T, Self::Cache>);

    /// Applies the chain rule: from `dy`, the gradient of the loss with respect to the output, **adds** the
    /// gradient with respect to the parameters to `grads`, and **overwrites** `dx`, if it is wanted, with the
    /// gradient with respect to the input. Called after `forward` with the same `params`, `x` and `cache`.
    fn backward(&self, pass: Backward<'_, T, Self::Cache>);

    /// Whether the layer can take these values: one that reads its input as ids of a table, say, cannot take
    /// any number. A trainer asks before each pass, and a container asks the layer that it hands `x` to.
    ///
    /// # Errors
    ///
    /// [`ValueError`] says what is expected and what is found. The passes may then not be run.
    fn check(&self, _x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Ok(())
    }

    /// Whether the output is always the input, value for value, in another shape at most. A container then
    /// leaves out both passes instead of copying.
    fn is_identity(&self) -> bool {
        false
    }
}

/// What a forward pass is given. `rows` is the number of samples.
#[derive(Debug)]
pub struct Forward<'a, T, C = ()> {
    /// The layer's parameters, to be taken in the order of its `plan`.
    pub params: Params<'a, T>,
    /// The input, `[rows, size of an input sample]`; it may be strided.
    pub x: ArrayView2<'a, T>,
    /// The output, `[rows, size of an output sample]`, to be overwritten; it may be strided.
    pub y: ArrayViewMut2<'a, T>,
    /// What this replica remembers.
    pub cache: &'a mut C,
    /// Whether this is training.
    pub mode: Mode,
}

/// What a backward pass is given.
#[derive(Debug)]
pub struct Backward<'a, T, C = ()> {
    /// The layer's parameters, to be taken in the order of its `plan`.
    pub params: Params<'a, T>,
    /// Their gradients, to be taken in the same order and added to.
    pub grads: Grads<'a, T>,
    /// The input of the forward pass.
    pub x: ArrayView2<'a, T>,
    /// The output of the forward pass.
    pub y: ArrayView2<'a, T>,
    /// The gradient of the loss with respect to the output.
    pub dy: ArrayView2<'a, T>,
    /// The gradient of the loss with respect to the input, to be overwritten; `None` if nobody wants it,
    /// as for a model's first layer.
    pub dx: Option<ArrayViewMut2<'a, T>>,
    /// What this replica remembers from the forward pass.
    pub cache: &'a mut C,
    /// The rows of this pass as a share of the whole batch's: what a [`Plan::buffer`] weighs its next
    /// value with.
    pub share: T,
}

/// Training or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: random layers draw from `seed`, by the index of the sample in the whole batch, so that the
    /// result depends neither on how the batch is cut nor on threads.
    Train {
        /// The seed of this layer in this step.
        seed: Seed,
        /// The index in the whole batch of the first row of this pass.
        first_row: usize,
    },
    /// Evaluation and prediction: every layer is deterministic.
    Eval,
}

impl Mode {
    /// The mode for an inner layer: each has a seed of its own.
    #[must_use]
    pub fn inner(self, index: usize) -> Self {
        match self {
            Self::Train { seed, first_row } => Self::Train { seed: seed.child(index as u64), first_row },
            Self::Eval => Self::Eval,
        }
    }
}
