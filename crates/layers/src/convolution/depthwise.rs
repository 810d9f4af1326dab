//! The depthwise convolution.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, Range, Settings, ShapeError,
    Value, described, entry,
};
use chainrule_tensor::{Real, Shape};

use super::cache::{ConvCache, ConvSpec};
use super::conv_shape::ConvShape;
use super::settings::{ConvSettings, settings};
use crate::axes::{Axes, entry_of_axes};

/// A convolution of each channel separately, as Keras' `DepthwiseConv2D`, and PyTorch's convolution with one group for each
/// channel: see [`Conv`](super::Conv) for the formula and the shapes.
///
/// With a [`multiplier`](Self::multiplier), channel `c` of the input determines the channels `c · multiplier` to
/// `c · multiplier + multiplier - 1` of the output. Weights have the shape `[inputs · multiplier, 1, kernel...]`.
#[derive(Clone, Debug)]
pub struct DepthwiseConv<const N: usize> {
    pub(super) multiplier: usize,
    pub(super) keras: bool,
    pub(super) settings: ConvSettings<N>,
}

impl<const N: usize> Described for DepthwiseConv<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// A convolution of each channel alone.
            DepthwiseConv = "depthwise_conv";
            source "Sifre 2014";
            settings {
                /// The size of the window: one number, or one for each axis.
                kernel ("kernel_size"): required, Range::AT_LEAST_ONE;
                /// How far the window moves between two outputs.
                stride ("strides"): 1, Range::AT_LEAST_ONE;
                /// The zeros around the image: `valid` for none, `same`, or numbers.
                padding: valid;
                /// The distance between neighbouring positions of the window.
                dilation ("dilation_rate"): 1, Range::AT_LEAST_ONE;
                /// The number of output channels for each input channel.
                multiplier ("depth_multiplier"): 1, Range::AT_LEAST_ONE;
                /// Whether the initialisers of the weights count all channels, as Keras' do.
                keras as "keras_fans": false;
                /// Whether there are biases.
                bias ("use_bias"): true;
                /// The first weights.
                weight_init ("kernel_initializer", "depthwise_initializer"): fan_in_uniform;
                /// The first biases.
                bias_init ("bias_initializer"): fan_in_uniform;
            }
            presets { keras { weight_init = glorot_uniform, bias_init = constant(0.0), keras_fans = true } }
        },
        &[("DepthwiseConv1d", "depthwise_conv1d", &[]), ("DepthwiseConv2d", "depthwise_conv2d", &[])],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            multiplier: settings.get("multiplier")?,
            keras: settings.get("keras_fans")?,
            settings: ConvSettings::from_settings(settings)?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        self.settings.values(&Self::ENTRY, vec![self.multiplier.into(), self.keras.into()])
    }
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

    described!();

    fn forward(&self, pass: Forward<'_, T, ConvCache<T, N>>) {
        ConvCache::forward(pass); //     Y = W P(X) + b
    }

    fn backward(&self, pass: Backward<'_, T, ConvCache<T, N>>) {
        ConvCache::backward(pass); //    dW = dY P(X)ᵀ, db = Σ dY, dP(X) = Wᵀ dY
    }
}
