//! Layers of several inputs.

use std::fmt::Debug;

use crate::{Backward, Forward, Grads, Layer, Mode, Params, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// A layer of several inputs: a differentiable function of several batches with the same rows, and of
/// parameters. All that [`Layer`] says holds for it too.
pub trait Merge<T: Real>: Debug + Send + Sync + 'static {
    /// As [`Layer::Cache`].
    type Cache: Clone + Default + Send + Sync + 'static;

    /// As [`Layer::plan`], for inputs of these shapes.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] if the layer cannot take so many inputs, or inputs of these shapes.
    fn plan(&self, inputs: &[Shape], plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError>;

    /// Computes the output `y` from the inputs `xs`; overwrites `y`.
    fn forward(&self, pass: MergeForward<'_, T, Self::Cache>);

    /// Adds to `grads`, and overwrites each of `dxs` that is wanted.
    fn backward(&self, pass: MergeBackward<'_, T, Self::Cache>);
}

/// What the forward pass of a [`Merge`] is given: as [`Forward`], with several inputs.
#[derive(Debug)]
pub struct MergeForward<'a, T, C = ()> {
    /// The layer's parameters, to be taken in the order of its `plan`.
    pub params: Params<'a, T>,
    /// The inputs, each `[rows, size of a sample of it]`; they may be strided.
    pub xs: &'a [ArrayView2<'a, T>],
    /// The output, to be overwritten.
    pub y: ArrayViewMut2<'a, T>,
    /// What this replica remembers.
    pub cache: &'a mut C,
    /// Whether this is training.
    pub mode: Mode,
}

/// What the backward pass of a [`Merge`] is given: as [`Backward`], with several inputs.
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
    /// The gradients with respect to the inputs, each to be overwritten if it is wanted.
    pub dxs: &'a mut [Option<ArrayViewMut2<'a, T>>],
    /// What this replica remembers from the forward pass.
    pub cache: &'a mut C,
    /// The rows of this pass as a share of the whole batch's.
    pub share: T,
}

/// A [`Merge`] as a [`Layer`]: its inputs lie side by side in each sample, which is a vector of all their values.
///
/// So a data set can feed several inputs, and [`gradcheck::gradients`](crate::gradcheck::gradients) can check a merge.
#[derive(Clone, Debug)]
pub struct SideBySide<J> {
    merge: J,
    inputs: Vec<Shape>,
}

impl<J> SideBySide<J> {
    /// This layer, with inputs of these shapes.
    pub fn new(merge: J, inputs: impl IntoIterator<Item = impl Into<Shape>>) -> Self {
        Self { merge, inputs: inputs.into_iter().map(Into::into).collect() }
    }
}

/// How many inputs are handled without allocating.
pub(crate) const MOST: usize = 8;

/// The shape of a vector of the values of all of these; `None` if they are too many to be counted.
pub(crate) fn side_by_side(mut shapes: impl Iterator<Item = Shape>) -> Option<Shape> {
    let size = shapes.try_fold(0usize, |sum, shape| sum.checked_add(shape.size()))?;
    Some(Shape::from([size]))
}

/// Cuts a batch into its inputs.
pub(crate) fn cut<'a, T: Real>(shapes: &[Shape], x: ArrayView2<'a, T>) -> [ArrayView2<'a, T>; MOST] {
    let mut start = 0;
    std::array::from_fn(|index| {
        let size = shapes.get(index).map_or(0, Shape::size);
        start += size;
        x.slice_move(s![.., start - size..start])
    })
}

impl<T: Real, J: Merge<T>> Layer<T> for SideBySide<J> {
    type Cache = J::Cache;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, J::Cache), ShapeError> {
        if self.inputs.len() > MOST {
            let expected = format!("at most {MOST} inputs");
            return Err(plan.error(input, &expected, "join some of them first"));
        }
        let size = side_by_side(self.inputs.iter().copied());
        if size != Some(input) {
            let size = size.map_or("too many".to_owned(), |size| size.size().to_string());
            let expected = format!("a vector of the {size} values of its inputs");
            return Err(plan.error(input, &expected, "put Flatten before it, or name other shapes"));
        }
        let (output, cache, _) = plan.inner_merge("merge", &self.merge, &self.inputs)?;
        Ok((output, cache))
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, J::Cache>) {
        let xs = &cut(&self.inputs, x)[..self.inputs.len()];
        self.merge.forward(MergeForward { params, xs, y, cache, mode: mode.inner(0) });
    }

    fn backward(&self, pass: Backward<'_, T, J::Cache>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let count = self.inputs.len();
        let xs = &cut(&self.inputs, x)[..count];
        let mut rest = dx;
        let mut dxs: [Option<ArrayViewMut2<'_, T>>; MOST] = std::array::from_fn(|index| {
            let (dx, after) = rest.take()?.split_at(ndarray::Axis(1), self.inputs.get(index)?.size());
            rest = Some(after);
            Some(dx)
        });
        let dxs = &mut dxs[..count];
        self.merge.backward(MergeBackward { params, grads, xs, y, dy, dxs, cache, share });
    }
}
