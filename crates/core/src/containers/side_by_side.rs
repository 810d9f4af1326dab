//! Several inputs in one sample.

use chainrule_tensor::{Real, Shape};
use ndarray::{ArrayView2, ArrayViewMut2, Axis, s};

use crate::containers::any::AnyMerge;
use crate::error::ShapeError;
use crate::layer::{Backward, Forward, Layer};
use crate::merge::{Merge, MergeBackward, MergeForward};
use crate::plan::Plan;
use crate::{Described, Description, DescriptionError, Entry, SettingValue, Settings, Value, entry};

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

impl<T: Real> Described for SideBySide<AnyMerge<T>> {
    const ENTRY: Entry = entry! {
        /// A merge as a layer, whose samples hold the values of all its inputs.
        SideBySide = "side_by_side";
        settings {
            /// The merge.
            merge: required;
            /// The shapes of its inputs.
            inputs: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self { merge: settings.get("merge")?, inputs: settings.get("inputs")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.merge.to_value(), self.inputs.to_value()]
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

    fn description(&self) -> Description {
        let values = [self.merge.description().into(), self.inputs.to_value()];
        <SideBySide<AnyMerge<T>> as Described>::ENTRY.description(values)
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
