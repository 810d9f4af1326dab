//! A layer that is not trained.

use chainrule_tensor::{Buffer, Real, Shape};
use ndarray::ArrayView2;

use crate::containers::any::AnyLayer;
use crate::error::{ShapeError, ValueError};
use crate::grads::Grads;
use crate::layer::{Backward, Forward, Layer, Mode};
use crate::params::Params;
use crate::plan::Plan;
use crate::runner::GradsExt;
use crate::{Described, Description, DescriptionError, Entry, SettingValue, Settings, Value, entry};

/// A layer whose parameters do not change: for what was trained before, on other data.
///
/// It runs as in evaluation, so random layers inside are inactive and running statistics do not change either. Its
/// parameters are of [`ParamKind::Frozen`](crate::ParamKind::Frozen), which no optimizer sees, and it adds nothing to
/// their gradients.
#[derive(Clone, Debug)]
pub struct Frozen<L>(pub L);

/// What a [`Frozen`] remembers: its layer's cache and number of parameters, and a buffer for their gradients, which are
/// discarded.
#[derive(Clone, Debug, Default)]
pub struct FrozenCache<T: Real, C> {
    cache: C,
    parameters: usize,
    discarded: Buffer<T>,
}

impl<T: Real> Described for Frozen<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// A layer that is not trained, and runs as in evaluation.
        Frozen = "frozen";
        settings {
            /// The layer.
            layer: required;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        settings.get("layer").map(Self)
    }

    fn setting_values(&self) -> Vec<Value> {
        vec![self.0.to_value()]
    }
}

impl<T: Real, L: Layer<T>> Layer<T> for Frozen<L> {
    type Cache = FrozenCache<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (output, cache, parameters) = plan.frozen(|plan| plan.inner("frozen", &self.0, input))?;
        Ok((output, FrozenCache { cache, parameters, discarded: Buffer::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn description(&self) -> Description {
        <Frozen<AnyLayer<T>> as Described>::ENTRY.description([self.0.description().into()])
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let params = Params::new(params.values(cache.parameters));
        self.0.forward(Forward { params, x, y, cache: &mut cache.cache, mode: Mode::Eval });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, y, dy, dx, cache, share } = pass;
        let FrozenCache { cache, parameters, discarded } = cache;
        let params = Params::new(params.values(*parameters));
        grads.values(*parameters);
        if dx.is_some() {
            discarded.reserve(*parameters);
            self.0.backward(Backward { params, grads: Grads::fresh(discarded), x, y, dy, dx, cache, share });
        }
    }
}
