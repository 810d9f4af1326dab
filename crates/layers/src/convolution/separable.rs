//! The separable convolution.

use std::sync::Arc;

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Grads, Initializer, Label, Layer, Params, Plan,
    Range, SettingValue, Settings, ShapeError, Value, described, entry,
};
use chainrule_tensor::{Buffer, Real, Shape};

use super::cache::ConvCache;
use super::conv::Conv;
use super::depthwise::DepthwiseConv;
use super::settings::ConvSettings;
use super::window::{Padding, SlidingWindow};
use crate::axes::{Axes, entry_of_axes};

/// A separable convolution (Sifre 2014; Chollet 2017), as Keras' `SeparableConv2D`: a [`DepthwiseConv`] without biases,
/// then a convolution of all channels at each position, with a kernel of size 1. It replaces a [`Conv`] with a fraction of its
/// weights and multiplications.
///
/// Samples are `[channels, height, width]`, or `[channels, length]` for [`SeparableConv1d`]. The parameters are the depthwise
/// weights `[inputs · multiplier, 1, kernel...]`, the pointwise weights `[outputs, inputs · multiplier, 1...]` and the
/// biases `[outputs]`.
#[derive(Clone, Debug)]
pub struct SeparableConv<const N: usize> {
    depthwise: DepthwiseConv<N>,
    pointwise: Conv<N>,
}

impl<const N: usize> Described for SeparableConv<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// A convolution of each channel alone, and then of all channels at each position.
            SeparableConv = "separable_conv";
            source "Chollet 2017";
            settings {
                /// The number of output channels.
                channels ("out_channels", "filters"): required, Range::AT_LEAST_ONE;
                /// The size of the window: one number, or one for each axis.
                kernel ("kernel_size"): required, Range::AT_LEAST_ONE;
                /// How far the window moves between two outputs.
                stride ("strides"): 1, Range::AT_LEAST_ONE;
                /// The zeros around the image: `valid` for none, `same`, or numbers.
                padding: valid;
                /// The distance between neighbouring positions of the window.
                dilation ("dilation_rate"): 1, Range::AT_LEAST_ONE;
                /// The number of channels in between for each input channel.
                multiplier ("depth_multiplier"): 1, Range::AT_LEAST_ONE;
                /// Whether the initialisers of the weights count all channels, as Keras' do.
                keras as "keras_fans": false;
                /// Whether there are biases.
                bias ("use_bias"): true;
                /// The first weights.
                weight_init ("kernel_initializer", "depthwise_initializer"): fan_in_uniform;
                /// The first biases.
                bias_init ("bias_initializer"): fan_in_uniform;
                /// The first weights of the second convolution; by default as the first.
                pointwise_init ("pointwise_initializer"): none;
            }
            presets { keras { weight_init = glorot_uniform, bias_init = constant(0.0), keras_fans = true } }
        },
        &[("SeparableConv1d", "separable_conv1d", &[]), ("SeparableConv2d", "separable_conv2d", &[])],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let channels = settings.get("channels")?;
        let ConvSettings { window, weight, bias } = ConvSettings::from_settings(settings)?;
        let pointwise = settings.get::<Option<_>>("pointwise_init")?.unwrap_or_else(|| Arc::clone(&weight));
        let (multiplier, keras) = (settings.get("multiplier")?, settings.get("keras_fans")?);
        let depthwise = ConvSettings { window, weight, bias: None };
        let depthwise = DepthwiseConv { multiplier, keras, settings: depthwise };
        let window = SlidingWindow::new([1; N]);
        let pointwise = ConvSettings { window, weight: pointwise, bias };
        Ok(Self { depthwise, pointwise: Conv { channels, groups: 1, settings: pointwise } })
    }

    fn setting_values(&self) -> Vec<Value> {
        let Self { depthwise, pointwise } = self;
        let own = vec![depthwise.multiplier.into(), depthwise.keras.into()];
        let both = ConvSettings { bias: pointwise.settings.bias.clone(), ..depthwise.settings.clone() };
        let mut values = vec![pointwise.channels.into()];
        values.extend(both.values(&Self::ENTRY, own));
        values.push(pointwise.settings.weight.to_value());
        values
    }
}

/// A separable convolution of signals, `[channels, length]`: see [`SeparableConv`].
pub type SeparableConv1d = SeparableConv<1>;
/// A separable convolution of images, `[channels, height, width]`: see [`SeparableConv`].
pub type SeparableConv2d = SeparableConv<2>;

impl<const N: usize> SeparableConv<N> {
    /// A layer with this number of output channels and a kernel of this size: `5`, or `[3, 5]` with a number for each axis.
    pub fn new(channels: usize, kernel: impl Axes<N>) -> Self {
        Self { depthwise: DepthwiseConv::new(kernel).without_bias(), pointwise: Conv::new(channels, 1) }
    }

    /// A layer with Keras' initializers.
    pub fn keras(channels: usize, kernel: impl Axes<N>) -> Self {
        Self { depthwise: DepthwiseConv::keras(kernel).without_bias(), pointwise: Conv::keras(channels, 1) }
    }

    /// The number of channels between the two convolutions for each input channel, 1 by default.
    #[must_use]
    pub fn multiplier(self, multiplier: usize) -> Self {
        Self { depthwise: self.depthwise.multiplier(multiplier), ..self }
    }

    /// How far the window moves between two outputs, 1 by default.
    #[must_use]
    pub fn stride(self, stride: impl Axes<N>) -> Self {
        Self { depthwise: self.depthwise.stride(stride), ..self }
    }

    /// The number of zeros around the image, none by default.
    #[must_use]
    pub fn padding(self, padding: impl Into<Padding<N>>) -> Self {
        Self { depthwise: self.depthwise.padding(padding), ..self }
    }

    /// The distance between neighbouring positions of the kernel, 1 by default.
    #[must_use]
    pub fn dilation(self, dilation: impl Axes<N>) -> Self {
        Self { depthwise: self.depthwise.dilation(dilation), ..self }
    }

    /// Sets the initializer of the depthwise and the pointwise weights.
    #[must_use]
    pub fn weight_init(self, init: impl Initializer + Clone + 'static) -> Self {
        Self {
            depthwise: self.depthwise.weight_init(init.clone()),
            pointwise: self.pointwise.weight_init(init),
        }
    }

    /// Sets the initializer of the biases.
    #[must_use]
    pub fn bias_init(self, init: impl Initializer + 'static) -> Self {
        Self { pointwise: self.pointwise.bias_init(init), ..self }
    }

    /// Removes the biases.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { pointwise: self.pointwise.without_bias(), ..self }
    }
}

/// The cache of a [`SeparableConv`], with the values between its two convolutions.
#[derive(Clone, Debug, Default)]
pub struct SeparableConvCache<T: Real, const N: usize> {
    depthwise: ConvCache<T, N>,
    pointwise: ConvCache<T, N>,
    /// The number of values of a sample between them, and of parameters of the first.
    size: usize,
    params: usize,
    values: Buffer<T>,
    gradient: Buffer<T>,
}

impl<T: Real, const N: usize> Layer<T> for SeparableConv<N> {
    type Cache = SeparableConvCache<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, SeparableConvCache<T, N>), ShapeError> {
        let (shape, depthwise, params) = plan.inner("depthwise", &self.depthwise, input)?;
        let (output, pointwise, _) = plan.inner("pointwise", &self.pointwise, shape)?;
        let size = shape.size();
        plan.memory(size); // for the gradient; the values are the depthwise convolution's output
        let values = Buffer::default();
        let gradient = Buffer::default();
        Ok((output, SeparableConvCache { depthwise, pointwise, size, params, values, gradient }))
    }

    fn label(&self) -> Label {
        Label::of(self).named(format!("SeparableConv{N}d"))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, mode }: Forward<'_, T, SeparableConvCache<T, N>>) {
        let SeparableConvCache { depthwise, pointwise, size, params: own, values, .. } = cache;
        let rows = x.nrows();
        values.reserve(rows * *size);
        let first = Params::new(params.values(*own));
        let z = values.matrix_mut(rows, *size);
        self.depthwise.forward(Forward { params: first, x, y: z, cache: depthwise, mode });
        let z = values.matrix(rows, *size);
        self.pointwise.forward(Forward { params, x: z, y, cache: pointwise, mode });
    }

    fn backward(&self, pass: Backward<'_, T, SeparableConvCache<T, N>>) {
        let Backward { mut params, mut grads, x, y, dy, dx, cache, share } = pass;
        let SeparableConvCache { depthwise, pointwise, size, params: own, values, gradient } = cache;
        let rows = x.nrows();
        gradient.reserve(rows * *size);
        let (first, first_grads): (_, Grads<'_, T>) = (Params::new(params.values(*own)), grads.inner(*own));
        let z = values.matrix(rows, *size);
        let dz = Some(gradient.matrix_mut(rows, *size));
        self.pointwise.backward(Backward { params, grads, x: z, y, dy, dx: dz, cache: pointwise, share });
        let (params, grads) = (first, first_grads);
        let dz = gradient.matrix(rows, *size);
        self.depthwise.backward(Backward { params, grads, x, y: z, dy: dz, dx, cache: depthwise, share });
    }
}
