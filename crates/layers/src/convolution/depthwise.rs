//! Convolutions of each channel by itself, and of all channels at each position.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape};

use super::correlation::Map;
use super::settings::{Declared, Settings, Work, settings};
use crate::Axes;

/// A convolution of each channel by itself, as Keras' `DepthwiseConv2D` and as PyTorch's convolution with as many groups
/// as channels: see [`Conv`](super::Conv) for the formula and the shapes.
///
/// With a [`multiplier`](Self::multiplier), channel `c` of the input gives the channels `c · multiplier` to
/// `c · multiplier + multiplier - 1` of the output. Weights are of shape `[inputs · multiplier, 1, kernel...]`.
#[derive(Clone, Debug)]
pub struct DepthwiseConv<const N: usize> {
    multiplier: usize,
    keras: bool,
    settings: Settings<N>,
}

/// A convolution of each channel of signals, `[channels, length]`: see [`DepthwiseConv`].
pub type DepthwiseConv1d = DepthwiseConv<1>;
/// A convolution of each channel of images, `[channels, height, width]`: see [`DepthwiseConv`].
pub type DepthwiseConv2d = DepthwiseConv<2>;

settings!(DepthwiseConv);

impl<const N: usize> DepthwiseConv<N> {
    /// A layer with a kernel of this size: `5`, or `[3, 5]` with a number for each axis.
    pub fn new(kernel: impl Axes<N>) -> Self {
        Self { multiplier: 1, keras: false, settings: Settings::new(kernel.axes()) }
    }

    /// A layer that starts as Keras' does. Keras' Glorot-uniform rule counts all channels, though an output sums over
    /// one.
    pub fn keras(kernel: impl Axes<N>) -> Self {
        Self { multiplier: 1, keras: true, settings: Settings::keras(kernel.axes()) }
    }

    /// How many channels of output each channel of input gives, 1 by default.
    #[must_use]
    pub fn multiplier(self, multiplier: usize) -> Self {
        Self { multiplier, ..self }
    }
}

impl<T: Real, const N: usize> Layer<T> for DepthwiseConv<N> {
    type Cache = Work<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Work<T, N>), ShapeError> {
        let Self { multiplier, keras, settings } = self;
        let (inputs, image) = settings.window.sample(input, plan)?;
        let Some(outputs) = inputs.checked_mul(*multiplier).filter(|&outputs| outputs > 0) else {
            let help = "choose a multiplier of at least 1, and not beyond counting";
            return Err(plan.error(input, "channels that can be multiplied", help));
        };
        let geometry = settings.window.over(image, input, plan)?;
        let declared = Declared {
            map: Map { geometry, groups: inputs, channels: [1, *multiplier] },
            weight: [outputs, 1],
            fans: if *keras { [inputs, *multiplier] } else { [1, outputs] },
            outputs,
            size: geometry.features,
        };
        Work::plan(settings, declared, input, plan)
    }

    fn forward(&self, pass: Forward<'_, T, Work<T, N>>) {
        Work::correlate(pass); //         Y = W P(X) + b
    }

    fn backward(&self, pass: Backward<'_, T, Work<T, N>>) {
        Work::correlate_back(pass); //    dW = dY P(X)ᵀ, db = Σ dY, dP(X) = Wᵀ dY
    }
}
