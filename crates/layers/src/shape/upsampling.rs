//! Upsampling by repetition and by interpolation.

use std::sync::{Arc, OnceLock};

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, Value, described, entry,
};
use chainrule_tensor::{Buffer, Real, Shape};

use super::rearrangement::{CopyRanges, Rearrangement, checked_shape, rearrangement_layer};
use crate::axes::{Axes, entry_of_axes};
use crate::contiguous::{contiguous, write_contiguous};

/// The size of the output along each of `N` spatial axes.
#[derive(Clone, Copy, Debug)]
enum UpSamplingSize<const N: usize> {
    /// The size of the input times these factors.
    Factors([usize; N]),
    /// These sizes.
    Sizes([usize; N]),
}

/// Repeats each value `factor` times along each of the `N` spatial axes of `[channels, axes...]`: the nearest input, the default
/// of Keras' `UpSampling` and PyTorch's `Upsample`. With [`to_size`](Self::to_size) output `i` along an axis is input
/// `⌊i n / m⌋`, for `n` inputs and `m` outputs.
#[derive(Clone, Copy, Debug)]
pub struct UpSampling<const N: usize> {
    size: UpSamplingSize<N>,
}

impl<const N: usize> Described for UpSampling<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// Each value several times along each axis.
            UpSampling = "up_sampling";
            settings {
                /// The size of the output as a multiple of that of the input: one number, or one for each axis.
                factors ("scale_factor"): none, Range::AT_LEAST_ONE;
                /// Instead of factors, the size of the output.
                to_size: none, Range::AT_LEAST_ONE;
            }
        },
        &[
            ("UpSampling1d", "up_sampling1d", &[]),
            ("UpSampling2d", "up_sampling2d", &[]),
            ("UpSampling3d", "up_sampling3d", &[]),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let size = UpSamplingSize::from_settings(settings)?;
        Ok(Self { size })
    }

    fn setting_values(&self) -> Vec<Value> {
        let [factors, to_size] = self.size.values();
        vec![factors, to_size]
    }
}

/// Repeats the values of `[channels, length]`.
pub type UpSampling1d = UpSampling<1>;
/// Repeats the values of `[channels, height, width]`.
pub type UpSampling2d = UpSampling<2>;
/// Repeats the values of `[channels, depth, height, width]`.
pub type UpSampling3d = UpSampling<3>;

impl<const N: usize> UpSampling<N> {
    /// By this factor: one for all axes, or one for each.
    pub fn new(factors: impl Axes<N>) -> Self {
        Self { size: UpSamplingSize::Factors(factors.axes()) }
    }

    /// To this size, as PyTorch's `Upsample(size=...)`: one for all axes, or one for each.
    pub fn to_size(size: impl Axes<N>) -> Self {
        Self { size: UpSamplingSize::Sizes(size.axes()) }
    }
}

impl<const N: usize> UpSamplingSize<N> {
    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        match (settings.get("factors")?, settings.get::<Option<_>>("to_size")?) {
            (Some(factors), None) => Ok(Self::Factors(factors)),
            (None, Some(sizes)) => Ok(Self::Sizes(sizes)),
            (factors, _) => {
                let found = if factors.is_some() { "given factors and a size" } else { "given no size" };
                Err(settings.place().wrong(&found.into(), "given either `factors` or `to_size`"))
            }
        }
    }

    /// The values of `factors` and `to_size`.
    fn values(self) -> [Value; 2] {
        match self {
            Self::Factors(factors) => [factors.to_value(), Value::None],
            Self::Sizes(sizes) => [Value::None, sizes.to_value()],
        }
    }

    /// The shape of the output.
    fn output_shape(self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let (Self::Factors(numbers) | Self::Sizes(numbers)) = self;
        if input.len() != N + 1 || numbers.contains(&0) || input.contains(&0) {
            let what = if matches!(self, Self::Factors(_)) { "factors" } else { "sizes" };
            let expected =
                format!("[channels] and {N} more axes, each at least 1, and {what} of at least 1,");
            let help = format!("put Reshape before it, or choose other {what}");
            return Err(plan.error(input, &expected, &help));
        }
        let mut axes = input.to_vec();
        for (axis, number) in axes[1..].iter_mut().zip(numbers) {
            *axis = if matches!(self, Self::Factors(_)) { axis.saturating_mul(number) } else { number };
        }
        checked_shape(&axes, input, plan)
    }
}

impl<const N: usize> Rearrangement for UpSampling<N> {
    fn label(&self) -> Label {
        Label::of(self).named(format!("UpSampling{N}d"))
    }

    fn output_shape(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        self.size.output_shape(input, plan)
    }

    fn copy_ranges(&self, input: Shape, output: Shape) -> CopyRanges {
        // In 128 bits the product of the sizes does not overflow.
        CopyRanges::by_axis(input, output, 0.0, |axis, at| {
            Some((at as u128 * input[axis] as u128 / output[axis] as u128) as usize)
        })
    }
}

rearrangement_layer!([const N: usize] UpSampling<N>);

/// Interpolates linearly along each of the `N` spatial axes of `[channels, axes...]`: bilinear for images, trilinear for volumes.
///
/// Output `i` along an axis is at the position `(i + ½) n / m - ½` of the inputs, for `n` inputs and `m` outputs, and is
/// interpolated between its two neighbours; before the first input and after the last it equals that one. With
/// [`align_corners`](Self::align_corners) it is at `i (n - 1) / (m - 1)`, so that the first and the last output are the first and
/// the last input. Both as in PyTorch's `Upsample`; Keras has the former.
#[derive(Clone, Copy, Debug)]
pub struct LinearUpSampling<const N: usize> {
    size: UpSamplingSize<N>,
    align_corners: bool,
}

impl<const N: usize> Described for LinearUpSampling<N> {
    const ENTRY: Entry = entry_of_axes::<N>(
        entry! {
            /// Values between those of the image, by interpolation along each axis.
            LinearUpSampling = "linear_up_sampling";
            settings {
                /// The size of the output as a multiple of that of the input: one number, or one for each axis.
                factors ("scale_factor"): none, Range::AT_LEAST_ONE;
                /// Instead of factors, the size of the output.
                to_size: none, Range::AT_LEAST_ONE;
                /// Whether the first and last values of input and output are at the same positions.
                align_corners: false;
            }
        },
        &[
            ("LinearUpSampling1d", "linear_up_sampling1d", &[]),
            ("BilinearUpSampling2d", "bilinear_up_sampling2d", &["linear_up_sampling2d"]),
            ("TrilinearUpSampling3d", "trilinear_up_sampling3d", &["linear_up_sampling3d"]),
        ],
    );

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let size = UpSamplingSize::from_settings(settings)?;
        Ok(Self { size, align_corners: settings.get("align_corners")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        let [factors, to_size] = self.size.values();
        vec![factors, to_size, self.align_corners.into()]
    }
}

/// Linear interpolation of `[channels, length]`.
pub type LinearUpSampling1d = LinearUpSampling<1>;
/// Bilinear interpolation of `[channels, height, width]`.
pub type BilinearUpSampling2d = LinearUpSampling<2>;
/// Trilinear interpolation of `[channels, depth, height, width]`.
pub type TrilinearUpSampling3d = LinearUpSampling<3>;

impl<const N: usize> LinearUpSampling<N> {
    /// By this factor: one for all axes, or one for each.
    pub fn new(factors: impl Axes<N>) -> Self {
        Self { size: UpSamplingSize::Factors(factors.axes()), align_corners: false }
    }

    /// To this size, as PyTorch's `Upsample(size=...)`: one for all axes, or one for each.
    pub fn to_size(size: impl Axes<N>) -> Self {
        Self { size: UpSamplingSize::Sizes(size.axes()), align_corners: false }
    }

    /// The first and the last output of an axis are its first and last input (PyTorch's `align_corners=True`).
    #[must_use]
    pub fn align_corners(self) -> Self {
        Self { align_corners: true, ..self }
    }

    /// The two inputs that an output is interpolated between, and the weight of the second.
    fn neighbours(self, at: usize, inputs: usize, outputs: usize) -> (usize, usize, f64) {
        let at = at as f64;
        let last = (inputs - 1) as f64;
        let position = if self.align_corners {
            at * last / (outputs - 1).max(1) as f64
        } else {
            ((at + 0.5) * inputs as f64 / outputs as f64 - 0.5).clamp(0.0, last)
        };
        let first = position.floor().min(last);
        (first as usize, (first + 1.0).min(last) as usize, position - first)
    }

    /// For each output of a channel, the inputs that it is interpolated from and their weights.
    fn weights<T: Real>(self, [inputs, outputs]: &[Vec<usize>; 2]) -> Vec<(usize, T)> {
        let plane: usize = outputs.iter().product();
        let mut weights = Vec::with_capacity(plane << N);
        for index in 0..plane {
            let mut rest = index;
            let mut neighbours = [(0, 0, 0.0); N];
            for axis in (0..N).rev() {
                neighbours[axis] = self.neighbours(rest % outputs[axis], inputs[axis], outputs[axis]);
                rest /= outputs[axis];
            }
            for corner in 0..1usize << N {
                let mut from = 0;
                let mut weight = 1.0;
                for (axis, (first, second, share)) in neighbours.into_iter().enumerate() {
                    let is_first = corner >> axis & 1 == 0;
                    from = from * inputs[axis] + if is_first { first } else { second };
                    weight *= if is_first { 1.0 - share } else { share };
                }
                weights.push((from, T::of(weight)));
            }
        }
        weights
    }
}

/// What a [`LinearUpSampling`] layer keeps between its passes: the size of a channel of the input and of the output, and from
/// the first pass on the weights, which all clones share.
#[derive(Clone, Debug, Default)]
pub struct LinearUpSamplingCache<T: Real> {
    sizes: [Vec<usize>; 2],
    weights: Arc<OnceLock<Vec<(usize, T)>>>,
    copies: [Buffer<T>; 2],
}

impl<T: Real, const N: usize> Layer<T> for LinearUpSampling<N> {
    type Cache = LinearUpSamplingCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, LinearUpSamplingCache<T>), ShapeError> {
        let output = self.size.output_shape(input, plan)?;
        let sizes = [input, output].map(|shape| shape[1..].to_vec());
        Ok((output, LinearUpSamplingCache { sizes, ..LinearUpSamplingCache::default() }))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, LinearUpSamplingCache<T>>) {
        let LinearUpSamplingCache { sizes, weights, copies: [from_copy, to_copy] } = cache;
        let weights = weights.get_or_init(|| self.weights(sizes));
        let inputs = sizes[0].iter().product();
        let corners = 1 << N;
        let x = contiguous(x, from_copy);
        write_contiguous(y, to_copy, |y| {
            for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(weights.len() / corners)) {
                for (y, weights) in y.iter_mut().zip(weights.chunks_exact(corners)) {
                    *y = weights.iter().fold(T::zero(), |sum, &(from, weight)| sum + weight * x[from]);
                }
            }
        });
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, LinearUpSamplingCache<T>>) {
        let Some(dx) = dx else { return };
        let LinearUpSamplingCache { sizes, weights, copies: [from_copy, to_copy] } = cache;
        let weights = weights.get_or_init(|| self.weights(sizes));
        let inputs = sizes[0].iter().product();
        let corners = 1 << N;
        let dy = contiguous(dy, from_copy);
        write_contiguous(dx, to_copy, |dx| {
            dx.fill(T::zero());
            for (dx, dy) in dx.chunks_exact_mut(inputs).zip(dy.chunks_exact(weights.len() / corners)) {
                for (&dy, weights) in dy.iter().zip(weights.chunks_exact(corners)) {
                    weights.iter().for_each(|&(from, weight)| dx[from] += weight * dy);
                }
            }
        });
    }
}
