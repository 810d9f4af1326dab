//! The trait that every layer implements, and the arguments of its two passes.

use std::fmt::Debug;

use chainrule_tensor::{Real, Seed, Shape};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::describe::Description;
use crate::error::{ShapeError, ValueError};
use crate::grads::Grads;
use crate::label::Label;
use crate::params::Params;
use crate::plan::Plan;

/// A layer: a differentiable function of a batch and of parameters.
///
/// A layer is a description: immutable, shared between threads, and without weights. Its weights are a range
/// of the model's flat parameters, which it declares in [`plan`](Self::plan) and takes, in the same order,
/// in [`forward`](Self::forward) and [`backward`](Self::backward). The batch is a matrix with one sample in each row,
/// whose features are flattened in row-major order.
///
/// A new layer is one `impl` of these three functions; the other methods have defaults. The crate's documentation
/// derives the passes of a dense layer, and [`gradcheck::gradients`](crate::gradcheck::gradients) tests a layer in one
/// line.
pub trait Layer<T: Real>: Debug + Send + Sync + 'static {
    /// What one replica remembers between `forward` and `backward`, and its scratch memory; often `()`.
    type Cache: Clone + Default + Send + Sync + 'static;

    /// Declares the parameters for samples of shape `input`; returns the shape of an output sample and an
    /// empty cache. The first pass may allocate memory in the cache, which later passes reuse.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] (see [`Plan::error`]) if the layer cannot take such samples. The passes rely on this check.
    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError>;

    /// Computes the output `y` from the input `x`; overwrites `y`.
    fn forward(&self, pass: Forward<'_, T, Self::Cache>);

    /// Applies the chain rule to `dy`, the gradient of the loss with respect to the output: **adds** the
    /// gradient with respect to the parameters to `grads` and **overwrites** `dx`, if it is requested, with the
    /// gradient with respect to the input. Called after `forward` with the same `params`, `x` and `cache`.
    fn backward(&self, pass: Backward<'_, T, Self::Cache>);

    /// Checks that the layer can take these values: one that reads its input as ids of a table, say, cannot take
    /// every number. A trainer calls it before each pass, and a container calls that of the layer that receives `x`.
    ///
    /// # Errors
    ///
    /// [`ValueError`] says what is expected and what was found. The passes must then not be run.
    fn check(&self, _x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        Ok(())
    }

    /// What errors and summaries call the layer: by default what `Debug` prints, in short.
    fn label(&self) -> Label {
        Label::of_text(&format!("{self:?}"))
    }

    /// What this is, from which a [`Registry`](crate::Registry) can build it: that of its entry, if it has one (see
    /// [`describe!`](crate::describe!)). By default it has the name of the type and what `Debug` prints; from that nothing can be
    /// built.
    fn description(&self) -> Description {
        Description::of_debug(self).with("debug", format!("{self:?}"))
    }

    /// Whether the output always has the same values as the input, though perhaps another shape. A container then
    /// skips both passes instead of copying.
    fn is_identity(&self) -> bool {
        false
    }
}

/// The arguments of a forward pass. `rows` is the number of samples.
#[derive(Debug)]
pub struct Forward<'a, T, C = ()> {
    /// The layer's parameters, to be taken in the order of its `plan`.
    pub params: Params<'a, T>,
    /// The input, `[rows, size of an input sample]`; it may be strided.
    pub x: ArrayView2<'a, T>,
    /// The output, `[rows, size of an output sample]`, to be overwritten; it may be strided.
    pub y: ArrayViewMut2<'a, T>,
    /// What this replica remembers between the passes.
    pub cache: &'a mut C,
    /// Whether this is training.
    pub mode: Mode,
}

/// The arguments of a backward pass.
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
    /// The gradient of the loss with respect to the input, to be overwritten; `None` if it is not needed,
    /// as for a model's first layer.
    pub dx: Option<ArrayViewMut2<'a, T>>,
    /// What this replica remembers from the forward pass.
    pub cache: &'a mut C,
    /// The number of rows of this pass as a fraction of the whole batch's: the weight of the next value of a
    /// [`Plan::buffer`].
    pub share: T,
}

/// Whether a pass is for training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Training: random layers draw from `seed` by the index of the sample in the whole batch, so that the
    /// result depends neither on how the batch is split nor on the number of threads.
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
    /// The mode for the inner layer with this index: each has a seed of its own.
    #[must_use]
    pub fn inner(self, index: usize) -> Self {
        match self {
            Self::Train { seed, first_row } => Self::Train { seed: seed.child(index as u64), first_row },
            Self::Eval => Self::Eval,
        }
    }
}
