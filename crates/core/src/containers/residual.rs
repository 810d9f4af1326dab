//! Residual connections.

use chainrule_tensor::{Buffer, Real, Shape, apply, map};
use ndarray::ArrayView2;

use crate::containers::any::AnyLayer;
use crate::error::{ShapeError, ValueError};
use crate::layer::{Backward, Forward, Layer};
use crate::plan::Plan;
use crate::{Described, Description, DescriptionError, Entry, SettingValue, Settings, Value, entry};

/// `y = x + f(x)` for an inner layer `f` that keeps the shape (He et al. 2015, "Deep residual learning").
///
/// By the chain rule `dx = dy + f'(dy)`: the gradient reaches the input on both paths.
///
/// A block that changes the shape needs a projection of the input, `y = p(x) + f(x)`: that is
/// [`Branches`](crate::Branches) with `Add` as the merge, `Branches::new(Add).branch(f).branch(p)`.
#[derive(Clone, Debug)]
pub struct Residual<L>(pub L);

/// What a [`Residual`] remembers: the cache of `f`, and its output, which the backward pass of `f` needs.
#[derive(Clone, Debug, Default)]
pub struct ResidualCache<T: Real, C> {
    cache: C,
    branch: Buffer<T>,
}

impl<T: Real> Described for Residual<AnyLayer<T>> {
    const ENTRY: Entry = entry! {
        /// Adds what a layer returns to its input.
        Residual = "residual";
        formula "y = x + f(x)";
        source "He et al. 2015, \"Deep residual learning\"";
        settings {
            /// The layer, which keeps the shape of its samples.
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

impl<T: Real, L: Layer<T>> Layer<T> for Residual<L> {
    type Cache = ResidualCache<T, L::Cache>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let (output, cache, _) = plan.inner("residual", &self.0, input)?;
        if output != input {
            let expected = "samples whose shape its inner layer keeps";
            let help = format!("the inner layer returns {output}; end it with a layer that returns {input}");
            return Err(plan.error(input, expected, &help));
        }
        plan.memory(output.size());
        Ok((output, ResidualCache { cache, branch: Buffer::default() }))
    }

    fn check(&self, x: ArrayView2<'_, T>) -> Result<(), ValueError> {
        self.0.check(x)
    }

    fn description(&self) -> Description {
        <Residual<AnyLayer<T>> as Described>::ENTRY.description([self.0.description().into()])
    }

    fn forward(&self, Forward { params, x, y, cache, mode }: Forward<'_, T, Self::Cache>) {
        let (rows, columns) = x.dim();
        let ResidualCache { cache, branch } = cache;
        branch.reserve(rows * columns);
        let f = branch.matrix_mut(rows, columns);
        self.0.forward(Forward { params, x, y: f, cache, mode: mode.inner(0) });
        let f = branch.matrix(rows, columns);
        map!(y = |x, f| x + f);
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { params, grads, x, dy, mut dx, cache, share, .. } = pass;
        let (rows, columns) = x.dim();
        let ResidualCache { cache, branch } = cache;
        let y = branch.matrix(rows, columns);
        let inner = dx.as_mut().map(|dx| dx.view_mut());
        self.0.backward(Backward { params, grads, x, y, dy, dx: inner, cache, share });
        if let Some(dx) = dx {
            apply!(dx = |dy| dx + dy);
        }
    }
}
