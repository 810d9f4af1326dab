//! The depthwise convolution.

use chainrule_core::{Backward, Forward, Label, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::cache::{ConvCache, ConvSpec};
use super::conv_shape::ConvShape;
use super::settings::{ConvSettings, settings};
use crate::axes::Axes;

/// A convolution of each channel separately, as Keras' `DepthwiseConv2D`, and PyTorch's convolution with one group for each
/// channel: see [`Conv`](super::Conv) for the formula and the shapes.
///
/// With a [`multiplier`](Self::multiplier), channel `c` of the input determines the channels `c · multiplier` to
/// `c · multiplier + multiplier - 1` of the output. Weights have the shape `[inputs · multiplier, 1, kernel...]`.
#[derive(Clone, Debug)]
pub struct DepthwiseConv<const N: usize> {
    multiplier: usize,
    keras: bool,
    settings: ConvSettings<N>,
}

/// A convolution of each channel of signals, `[channels, length]`: see [`DepthwiseConv`].
pub type DepthwiseConv1d = DepthwiseConv<1>;
/// A convolution of each channel of images, `[channels, height, width]`: see [`DepthwiseConv`].
pub type DepthwiseConv2d = DepthwiseConv<2>;

settings!(DepthwiseConv);

impl<const N: usize> DepthwiseConv<N> {
    /// A layer with a kernel of this size: `5`, or `[3, 5]` with a number for each axis.
    pub fn new(kernel: impl Axes<N>) -> Self {
        Self { multiplier: 1, keras: false, settings: ConvSettings::new(kernel.axes()) }
    }

    /// A layer with Keras' initializers. Keras' Glorot-uniform rule counts all channels, though an output sums over one.
    pub fn keras(kernel: impl Axes<N>) -> Self {
        Self { multiplier: 1, keras: true, settings: ConvSettings::keras(kernel.axes()) }
    }

    /// The number of output channels for each input channel, 1 by default.
    #[must_use]
    pub fn multiplier(self, multiplier: usize) -> Self {
        Self { multiplier, ..self }
    }
}

impl<T: Real, const N: usize> Layer<T> for DepthwiseConv<N> {
    type Cache = ConvCache<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ConvCache<T, N>), ShapeError> {
        let Self { multiplier, keras, settings } = self;
        let (inputs, image) = settings.window.sample(input, plan)?;
        plan.at_least_one(*multiplier, "a multiplier", input)?;
        let Some(outputs) = inputs.checked_mul(*multiplier) else {
            let help = "set the multiplier to less than what overflows";
            return Err(plan.error(input, "channels that can be multiplied", help));
        };
        let geometry = settings.window.for_image(image, input, plan)?;
        let spec = ConvSpec {
            shape: ConvShape { geometry, groups: inputs, channels: [1, *multiplier] },
            weight: [outputs, 1],
            fans: if *keras { [inputs, *multiplier] } else { [1, outputs] },
            outputs,
            size: geometry.features,
        };
        ConvCache::plan(settings, spec, input, plan)
    }

    fn label(&self) -> Label {
        Label::of(self).named(format!("DepthwiseConv{N}d"))
    }

    fn forward(&self, pass: Forward<'_, T, ConvCache<T, N>>) {
        ConvCache::forward(pass); //     Y = W P(X) + b
    }

    fn backward(&self, pass: Backward<'_, T, ConvCache<T, N>>) {
        ConvCache::backward(pass); //    dW = dY P(X)ᵀ, db = Σ dY, dP(X) = Wᵀ dY
    }
}
