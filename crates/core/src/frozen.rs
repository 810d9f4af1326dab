//! A layer that is not trained.

use crate::{Backward, Forward, Grads, Layer, Mode, Params, Plan, ShapeError, ValueError};
use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::ArrayView2;

/// A layer whose parameters stay as they are: for what was trained before, on other data.
///
/// It runs as in evaluation, so its random layers are quiet and its running statistics stay too. Its parameters are of
/// [`ParamKind::Frozen`](chainrule_core::ParamKind::Frozen), which no optimizer sees, and it adds nothing to their gradients.
#[derive(Clone, Debug)]
pub struct Frozen<L>(pub L);

/// What a [`Frozen`] remembers: its layer's cache, how many parameters that has, and room for gradients that nobody wants.
#[derive(Clone, Debug, Default)]
pub struct Apart<T: Real, C> {
    cache: C,
    parameters: usize,
    grads: Buffer<T>,
}

impl<T: Real, L: Layer<T>> Layer<T> for Frozen<L> {
    type Cache = Apart<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (output, cache, parameters) = plan.frozen(|plan| plan.inner("frozen", &self.0, input))?;
        Ok((output, Apart { cache, parameters, grads: Buffer::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let params = Params::new(params.values(cache.parameters));
        self.0.forward(Forward { params, x, y, cache: &mut cache.cache, mode: Mode::Eval });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, y, dy, dx, cache, share } = pass;
        let Apart { cache, parameters, grads: room } = cache;
        let params = Params::new(params.values(*parameters));
        grads.values(*parameters);
        if dx.is_some() {
            room.reserve(*parameters);
            self.0.backward(Backward { params, grads: Grads::fresh(room), x, y, dy, dx, cache, share });
        }
    }
}
