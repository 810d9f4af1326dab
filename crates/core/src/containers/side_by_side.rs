//! Several inputs in one sample.

use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use crate::error::ShapeError;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::{Merge, MergeBackward, MergeForward};
use crate::plan::Plan;

/// A [`Merge`] as a [`Layer`]: its inputs are concatenated in each sample, which is a vector of all their values.
///
/// So a data set can feed several inputs, and [`gradcheck::gradients`](crate::gradcheck::gradients) can check a merge.
#[derive(Clone, Debug)]
pub struct SideBySide<M> {
    merge: M,
    inputs: Vec<Shape>,
}

impl<M> SideBySide<M> {
    /// This merge, with inputs of these shapes.
    pub fn new(merge: M, inputs: impl IntoIterator<Item = impl Into<Shape>>) -> Self {
        Self { merge, inputs: inputs.into_iter().map(Into::into).collect() }
    }
}

/// The maximum number of inputs that are handled without allocating.
pub(crate) const MAX_INPUTS: usize = 8;

/// The shape of a vector of the values of all of these; `None` if their number overflows.
pub(crate) fn concatenated(mut shapes: impl Iterator<Item = Shape>) -> Option<Shape> {
    let size = shapes.try_fold(0usize, |sum, shape| sum.checked_add(shape.size()))?;
    Some(Shape::from([size]))
}

/// Splits a batch into its inputs.
pub(crate) fn split<'a, T: Real>(shapes: &[Shape], x: ArrayView2<'a, T>) -> [ArrayView2<'a, T>; MAX_INPUTS] {
    let mut start = 0;
    std::array::from_fn(|index| {
        let size = shapes.get(index).map_or(0, Shape::size);
        start += size;
        x.slice_move(s![.., start - size..start])
    })
}

impl<T: Real, M: Merge<T>> Layer<T> for SideBySide<M> {
    type Cache = M::Cache;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, M::Cache), ShapeError> {
        if self.inputs.len() > MAX_INPUTS {
            let expected = format!("at most {MAX_INPUTS} inputs");
            return Err(plan.error(input, &expected, "merge some of them first"));
        }
        let size = concatenated(self.inputs.iter().copied());
        if size != Some(input) {
            let expected = match size {
                Some(size) => format!("a vector of the {} values of its inputs", size.size()),
                None => "inputs whose values together can be counted".to_owned(),
            };
            return Err(plan.error(
                input,
                &expected,
                "put Flatten before it, or change the shapes of the inputs",
            ));
        }
        let (output, cache, _) = plan.inner_merge("merge", &self.merge, &self.inputs)?;
        Ok((output, cache))
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, M::Cache>) {
        let xs = &split(&self.inputs, x)[..self.inputs.len()];
        self.merge.forward(MergeForward { params, xs, y, cache, mode: mode.inner(0) });
    }

    fn backward(&self, pass: Backward<'_, T, M::Cache>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let count = self.inputs.len();
        let xs = &split(&self.inputs, x)[..count];
        let mut rest = dx;
        let mut dxs: [Option<ArrayViewMut2<'_, T>>; MAX_INPUTS] = std::array::from_fn(|index| {
            let (dx, after) = rest.take()?.split_at(Axis(1), self.inputs.get(index)?.size());
            rest = Some(after);
            Some(dx)
        });
        let dxs = &mut dxs[..count];
        self.merge.backward(MergeBackward { params, grads, xs, y, dy, dxs, cache, share });
    }
}
