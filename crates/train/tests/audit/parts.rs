//! Layers that go wrong, and short forms of those that do not.

use chainrule_core::{Backward, Constant, Forward, Lambda, Layer, Plan, Sequential, ShapeError};
use chainrule_layers::activations::Relu;
use chainrule_layers::{Dense, Flatten};
use chainrule_tensor::{Shape, gemm};

/// Returns its input, and hands no gradient on.
pub(crate) fn detach() -> impl Layer<f32> {
    Lambda::new("detach", |z: f32| z, |_, _| 0.0)
}

/// The sign, whose derivative is 0.
pub(crate) fn sign() -> impl Layer<f32> {
    Lambda::new("sign", |z: f32| z.signum(), |_, _| 0.0)
}

/// Returns 0.
pub(crate) fn nothing() -> impl Layer<f32> {
    Lambda::new("nothing", |_: f32| 0.0, |_, _| 0.0)
}

/// Rounds to tens, and hands the gradient on as it is.
pub(crate) fn rounded() -> impl Layer<f32> {
    Lambda::new("rounded", |z: f32| 10.0 * (z / 10.0).round(), |_, _| 1.0)
}

/// The root of the absolute value, whose derivative at 0 is infinite.
pub(crate) fn root() -> impl Layer<f32> {
    Lambda::new("root", |z: f32| z.max(0.0).sqrt(), |_, a| 0.5 / a)
}

/// The logarithm.
pub(crate) fn logarithm() -> impl Layer<f32> {
    Lambda::new("ln", |z: f32| z.ln(), |z, _| 1.0 / z)
}

/// A dense layer without bias whose backward pass forgets the gradient of its weight.
#[derive(Debug)]
pub(crate) struct Forgetful(pub(crate) usize);

impl Layer<f32> for Forgetful {
    type Cache = ();

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        let fans = (input.size(), self.0);
        let init: std::sync::Arc<dyn chainrule_core::Initializer> =
            std::sync::Arc::new(chainrule_layers::init::GlorotUniform);
        plan.weight("weight", [input.size(), self.0], fans, &init)?;
        Ok((Shape::from([self.0]), ()))
    }

    fn forward(&self, Forward { mut params, x, y, .. }: Forward<'_, f32>) {
        gemm(1.0, x, params.take([x.ncols(), self.0]), 0.0, y);
    }

    fn backward(&self, Backward { mut params, mut grads, x, dy, dx, .. }: Backward<'_, f32>) {
        let w = params.take([x.ncols(), self.0]);
        let _ = grads.take([x.ncols(), self.0]);
        if let Some(dx) = dx {
            gemm(1.0, dy, w.t(), 0.0, dx);
        }
    }
}

/// Two dense layers with ReLU between them.
pub(crate) fn mlp(outputs: usize) -> Sequential<f32> {
    hidden(Dense::new(32)).then(Dense::new(outputs))
}

/// A flattened input, this layer, and ReLU.
pub(crate) fn hidden(layer: Dense) -> Sequential<f32> {
    Sequential::new().then(Flatten).then(layer).then(Relu)
}

/// A dense layer whose biases begin with this.
pub(crate) fn biased(units: usize, bias: f64) -> Dense {
    Dense::new(units).bias_init(Constant(bias))
}
