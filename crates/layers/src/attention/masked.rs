//! A wrapper that keeps padding at zero.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, ValueError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::ArrayView2;

use super::sequences::{sequence, without_padding, zero_padding};

/// A layer that maps sequences to sequences of the same number of steps; if it is masked, its output is 0 where a step of the
/// input is padding, a step of zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Masked<L> {
    pub(super) layer: L,
    pub(super) masked: bool,
}

/// The cache of a [`Masked`].
#[derive(Clone, Debug, Default)]
pub(super) struct MaskedCache<T: Real, C> {
    cache: C,
    /// The numbers of features of a step and of its output.
    features: [usize; 2],
    /// The gradient of the output, without padding.
    dy: Buffer<T>,
}

impl<T: Real, L: Layer<T>> Layer<T> for Masked<L> {
    type Cache = MaskedCache<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let [_, inputs] = sequence(input, plan)?;
        let (output, cache) = self.layer.plan(input, plan)?;
        let [_, outputs] = sequence(output, plan)?;
        plan.memory(if self.masked { output.size() } else { 0 });
        Ok((output, MaskedCache { cache, features: [inputs, outputs], dy: Buffer::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.layer.check(x)
    }

    fn forward(&self, Forward { params, x, mut y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let MaskedCache { cache, features, .. } = cache;
        self.layer.forward(Forward { params, x, y: y.view_mut(), cache, mode });
        if self.masked {
            zero_padding(x, y, *features);
        }
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { params, grads, x, y, dy, dx, cache, share } = pass;
        let MaskedCache { cache, features, dy: copy } = cache;
        let dy = if self.masked { without_padding(x, dy, *features, copy) } else { dy };
        self.layer.backward(Backward { params, grads, x, y, dy, dx, cache, share });
    }
}
