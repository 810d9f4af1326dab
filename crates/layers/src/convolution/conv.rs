//! The convolution.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, Range, Settings, ShapeError,
    Value, described, entry,
};
use chainrule_tensor::{Real, Shape};

use super::cache::{ConvCache, ConvSpec};
use super::conv_shape::ConvShape;
use super::settings::{ConvSettings, settings};
use crate::axes::{Axes, entry_of_axes};

/// A convolution over `N` axes (LeCun et al. 1989), as in PyTorch: a window slides over the image, and each output is the product
/// of the kernel and the values in the window, summed over all channels.
///
/// `Y[m, o] = b[m] + Σ W[m, c, k] X[c, o · stride + k · dilation - before]` over channels `c` and positions `k` of the kernel,
/// where `X` is 0 outside of the image, with `before` zeros before it. (The kernel is not reversed: what networks call a
/// convolution is a correlation.) Along each axis the output has `⌊(size + before + after - extent) / stride⌋ + 1` values, for a
/// window of the extent `dilation · (kernel - 1) + 1`.
///
/// Samples are `[channels, height, width]`, or have one or three axes for [`Conv1d`] and [`Conv3d`]. Weights have the shape
/// `[outputs, inputs / groups, kernel...]`, biases `[outputs]`. Both are initialised uniformly in `±1/√fan_in`, as in PyTorch, where
/// `fan_in` is the number of values that an output sums over; [`keras`](Self::keras) gives Glorot-uniform weights and zero
/// biases, as in Keras.
///
/// ```
/// use chainrule_core::{Layer, Plan, Sequential};
/// use chainrule_layers::{Conv2d, Dense, Flatten, Padding, Relu};
/// let layers = Sequential::new()
///     .then(Conv2d::new(6, 5).padding(Padding::Same)) // [6, 28, 28]
///     .then(Relu)
///     .then(Conv2d::new(16, [3, 5]).stride(2)) //        [16, 13, 12]
///     .then(Flatten)
///     .then(Dense::new(10));
/// let (output, _) = layers.plan([1, 28, 28].into(), &mut Plan::new())?;
/// assert_eq!(output, [10].into());
/// # Ok::<(), chainrule_core::ShapeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Conv<const N: usize> {
    pub(super) channels: usize,
    pub(super) groups: usize,
    pub(super) settings: ConvSettings<N>,
}

impl<const N: usize> Described for Conv<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// A window slides over the image, and each output is a weighted sum of what it shows.
            Conv = "conv";
            formula "Y[m, o] = b[m] + Σ W[m, c, k] X[c, o stride + k dilation - before]";
            source "LeCun et al. 1989";
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
            ("Conv1d", "conv1d", &["convolution1d"]),
            ("Conv2d", "conv2d", &["convolution2d"]),
            ("Conv3d", "conv3d", &["convolution3d"]),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let channels = settings.get("channels")?;
        let groups = settings.get("groups")?;
        Ok(Self { channels, groups, settings: ConvSettings::from_settings(settings)? })
    }

    fn setting_values(&self) -> Vec<Value> {
        let own = vec![self.groups.into()];
        [vec![self.channels.into()], self.settings.values(&Self::ENTRY, own)].concat()
    }
}

/// A convolution of signals, `[channels, length]`: see [`Conv`].
pub type Conv1d = Conv<1>;
/// A convolution of images, `[channels, height, width]`: see [`Conv`].
pub type Conv2d = Conv<2>;
/// A convolution of volumes, `[channels, depth, height, width]`: see [`Conv`].
pub type Conv3d = Conv<3>;

settings!(Conv);

impl<const N: usize> Conv<N> {
    /// A layer with this number of output channels and a kernel of this size: `5`, or `[3, 5]` with a number for each axis.
    pub fn new(channels: usize, kernel: impl Axes<N>) -> Self {
        Self { channels, groups: 1, settings: ConvSettings::new(kernel.axes()) }
    }

    /// A layer with Keras' initializers.
    pub fn keras(channels: usize, kernel: impl Axes<N>) -> Self {
        Self { channels, groups: 1, settings: ConvSettings::keras(kernel.axes()) }
    }

    /// Splits the channels of input and output into this number of groups, and computes each group of outputs from its group of
    /// inputs alone.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
}

/// Checks that the groups divide the channels of input and output.
pub(super) fn check_groups(
    groups: usize,
    [inputs, outputs]: [usize; 2],
    input: Shape,
    plan: &Plan,
) -> Result<(), ShapeError> {
    plan.at_least_one(groups, "a number of groups", input)?;
    plan.at_least_one(outputs, "a number of channels", input)?;
    let divides = |channels: usize| channels.is_multiple_of(groups);
    if divides(inputs) && divides(outputs) {
        return Ok(());
    }
    let expected = format!("a number of channels that its {groups} groups divide");
    Err(plan.error(input, &expected, "set the channels of input and output to multiples of the groups"))
}

impl<T: Real, const N: usize> Layer<T> for Conv<N> {
    type Cache = ConvCache<T, N>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, ConvCache<T, N>), ShapeError> {
        let Self { channels: outputs, groups, settings } = self;
        let (inputs, image) = settings.window.sample(input, plan)?;
        check_groups(*groups, [inputs, *outputs], input, plan)?;
        let geometry = settings.window.for_image(image, input, plan)?;
        let of_a_group = inputs / groups;
        let outputs = *outputs;
        let spec = ConvSpec {
            shape: ConvShape { geometry, groups: *groups, channels: [of_a_group, outputs / groups] },
            weight: [outputs, of_a_group],
            fans: [of_a_group, outputs],
            outputs,
            size: geometry.features,
        };
        ConvCache::plan(settings, spec, input, plan)
    }

    fn label(&self) -> Label {
        Label::of(self).named(format!("Conv{N}d"))
    }

    described!();

    fn forward(&self, pass: Forward<'_, T, ConvCache<T, N>>) {
        ConvCache::forward(pass); //     Y = W P(X) + b
    }

    fn backward(&self, pass: Backward<'_, T, ConvCache<T, N>>) {
        ConvCache::backward(pass); //    dW = dY P(X)ᵀ, db = Σ dY, dP(X) = Wᵀ dY
    }
}
