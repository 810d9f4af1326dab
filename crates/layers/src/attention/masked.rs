//! A layer that leaves padding alone.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, ValueError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::ArrayView2;

use super::steps::{sequence, spec, without_padding};

/// A layer from sequences to sequences of as many steps; if it is masked, its output is 0 where a step is padding, a step
/// of zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Masked<L> {
    pub(super) layer: L,
    pub(super) masked: bool,
}

/// What a [`Masked`] remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept<T: Real, C> {
    cache: C,
    /// How many features a step has, and its output.
    features: [usize; 2],
    /// The gradient of the output, without that of padding.
    dy: Buffer<T>,
}

impl<T: Real, L: Layer<T>> Layer<T> for Masked<L> {
    type Cache = Kept<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let [_, inputs] = sequence(input, plan)?;
        let (output, cache) = self.layer.plan(input, plan)?;
        let [_, outputs] = sequence(output, plan)?;
        plan.memory(if self.masked { output.size() } else { 0 });
        Ok((output, Kept { cache, features: [inputs, outputs], dy: Buffer::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.layer.check(x)
    }

    fn forward(&self, Forward { params, x, mut y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let Kept { cache, features, .. } = cache;
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode });
        if self.masked {
            spec(x, y, *features);
        }
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let Kept { cache, features, dy: copy } = cache;
        let dy = if self.masked { without_padding(x, dy, *features, copy) } else { dy };
        self.layer.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }
}
