//! The transposed convolution.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, Value, described, entry,
};
use chainrule_tensor::{Real, Shape};

use super::cache::{ConvCache, ConvSpec};
use super::conv::check_groups;
use super::conv_shape::ConvShape;
use super::settings::{ConvSettings, settings};
use crate::axes::{Axes, entry_of_axes};

/// A transposed convolution over `N` axes (Zeiler et al. 2010; also fractionally strided, or "deconvolution"), as in
/// PyTorch: the adjoint of a [`Conv`](super::Conv), from its output to its input. Each input adds the kernel, times its
/// value, to the output:
///
/// `Y[m, o · stride + k · dilation - before] += W[c, m, k] X[c, o]`, from `Y[m] = b[m]`, for all channels `c` and positions `k`;
/// what is outside of `Y` is dropped. Along each axis the output has
/// `(size - 1) · stride - before - after + extent + output padding` values, for a kernel of the extent
/// `dilation · (kernel - 1) + 1`. With [`Padding::Same`](crate::Padding::Same) it has `size · stride + output padding`, as in Keras.
///
/// Samples are `[channels, height, width]`, or have one or three axes for [`ConvTranspose1d`] and [`ConvTranspose3d`].
/// Weights have the shape `[inputs, outputs / groups, kernel...]`, biases `[outputs]`. Both are initialised uniformly in `±1/√fan_in`
/// with a `fan_in` of `outputs / groups · kernel`, which is PyTorch's rule.
#[derive(Clone, Debug)]
pub struct ConvTranspose<const N: usize> {
    channels: usize,
    groups: usize,
    output_padding: [usize; N],
    settings: ConvSettings<N>,
}

impl<const N: usize> Described for ConvTranspose<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// The adjoint of a convolution: each value adds the kernel, times itself, to the output.
            ConvTranspose = "conv_transpose";
            formula "Y[m, o stride + k dilation - before] += W[c, m, k] X[c, o]";
            source "Zeiler et al. 2010";
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
                /// The number of groups of channels that are computed from each other alone.
                groups: 1, Range::AT_LEAST_ONE;
                /// How many values the output has more at the end of each axis.
                output_padding: 0;
                /// Whether there are biases.
                bias ("use_bias"): true;
                /// The first weights.
                weight_init ("kernel_initializer"): fan_in_uniform;
                /// The first biases.
                bias_init ("bias_initializer"): fan_in_uniform;
            }
            presets { keras { weight_init = glorot_uniform, bias_init = constant(0.0) } }
        },
        &[
            (
                "ConvTranspose1d",
                "conv_transpose1d",
                &["conv1d_transpose", "convolution1d_transpose", "deconvolution1d"],
            ),
            (
                "ConvTranspose2d",
                "conv_transpose2d",
                &["conv2d_transpose", "convolution2d_transpose", "deconvolution2d"],
            ),
            (
                "ConvTranspose3d",
                "conv_transpose3d",
                &["conv3d_transpose", "convolution3d_transpose", "deconvolution3d"],
            ),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self {
            channels: settings.get("channels")?,
            groups: settings.get("groups")?,
            output_padding: settings.get("output_padding")?,
            settings: ConvSettings::from_settings(settings)?,
        })
    }

    fn setting_values(&self) -> Vec<Value> {
        let own = vec![self.groups.into(), self.output_padding.to_value()];
        [vec![self.channels.into()], self.settings.values(&Self::ENTRY, own)].concat()
    }
}

/// A transposed convolution of signals, `[channels, length]`: see [`ConvTranspose`].
pub type ConvTranspose1d = ConvTranspose<1>;
/// A transposed convolution of images, `[channels, height, width]`: see [`ConvTranspose`].
pub type ConvTranspose2d = ConvTranspose<2>;
/// A transposed convolution of volumes, `[channels, depth, height, width]`: see [`ConvTranspose`].
pub type ConvTranspose3d = ConvTranspose<3>;

settings!(ConvTranspose);

impl<const N: usize> ConvTranspose<N> {
    /// A layer with this number of output channels and a kernel of this size: `5`, or `[3, 5]` with a number for each axis.
    pub fn new(channels: usize, kernel: impl Axes<N>) -> Self {
        Self { channels, groups: 1, output_padding: [0; N], settings: ConvSettings::new(kernel.axes()) }
    }

    /// A layer with Keras' initializers.
    pub fn keras(channels: usize, kernel: impl Axes<N>) -> Self {
        Self { channels, groups: 1, output_padding: [0; N], settings: ConvSettings::keras(kernel.axes()) }
    }

    /// Splits the channels of input and output into this number of groups, and computes each group of outputs from its group of
    /// inputs alone.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// How many values the output has more at the end of each axis, 0 by default. A convolution with a stride has outputs of the
    /// same size for inputs of several sizes; this chooses among them.
    #[must_use]
    pub fn output_padding(self, values: impl Axes<N>) -> Self {
        Self { output_padding: values.axes(), ..self }
    }
}

impl<T: Real, const N: usize> Layer<T> for ConvTranspose<N> {
    type Cache = ConvCache<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ConvCache<T, N>), ShapeError> {
        let Self { channels: outputs, groups, output_padding, settings } = self;
        let (inputs, features) = settings.window.sample(input, plan)?;
        check_groups(*groups, [inputs, *outputs], input, plan)?;
        let geometry = settings.window.for_features(features, *output_padding, input, plan)?;
        let of_a_group = outputs / groups;
        let outputs = *outputs;
        let spec = ConvSpec {
            shape: ConvShape { geometry, groups: *groups, channels: [of_a_group, inputs / groups] },
            weight: [inputs, of_a_group],
            fans: [of_a_group, inputs],
            outputs,
            size: geometry.image,
        };
        ConvCache::plan(settings, spec, input, plan)
    }

    fn label(&self) -> Label {
        Label::of(self).named(format!("ConvTranspose{N}d"))
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, ConvCache<T, N>>) {
        ConvCache::forward_transposed(pass); //     P(Y) = Wᵀ X, and b
    }

    fn backward(&self, pass: Backward<'_, T, ConvCache<T, N>>) {
        ConvCache::backward_transposed(pass); //    dW = X P(dY)ᵀ, db = Σ dY, dX = W P(dY)
    }
}
