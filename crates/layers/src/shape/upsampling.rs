//! Upsampling by repetition and by interpolation.

use std::sync::{Arc, OnceLock};

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Label, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, Value, described, entry,
};
use chainrule_tensor::vector::CHAIN;
use chainrule_tensor::{Buffer, Real, Shape, each};

use super::offsets::Offsets;
use super::rearrangement::{Rearrangement, checked_shape, rearrangement_layer};
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

    fn offsets(&self, input: Shape, output: Shape) -> Offsets {
        // In 128 bits the product of the sizes does not overflow.
        Offsets::by_axis(input, output, 0.0, |axis, at| {
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

    /// For each output along each axis, the two inputs that it is interpolated between.
    fn blends<T: Real>(self, [inputs, outputs]: &[Vec<usize>; 2]) -> Vec<Vec<Blend<T>>> {
        let axis = |(&inputs, &outputs): (&usize, &usize)| {
            let blend = |at| {
                let (first, second, share) = self.neighbours(at, inputs, outputs);
                Blend { inputs: [first, second], weights: [T::of(1.0 - share), T::of(share)] }
            };
            (0..outputs).map(blend).collect()
        };
        inputs.iter().zip(outputs).map(axis).collect()
    }
}

/// Two inputs along an axis, or two rows or planes of them, and their weights, whose sum is 1.
#[derive(Clone, Copy, Debug)]
struct Blend<T> {
    inputs: [usize; 2],
    weights: [T; 2],
}

/// Interpolates along the axes, the outermost first: two rows or planes are blended into one, which the other axes go on with.
/// `scratch` has at least twice as many values as `x`.
fn interpolate<T: Real>(axes: &[Vec<Blend<T>>], sizes: &[usize], x: &[T], y: &mut [T], scratch: &mut [T]) {
    let ([blends, axes @ ..], [_, sizes @ ..]) = (axes, sizes) else { return };
    if axes.is_empty() {
        for (y, &Blend { inputs: [i, j], weights: [v, w] }) in y.iter_mut().zip(blends) {
            *y = v * x[i] + w * x[j];
        }
        return;
    }
    let size = sizes.iter().product();
    let (blended, scratch) = scratch.split_at_mut(size);
    for (y, &Blend { inputs, weights: [v, w] }) in y.chunks_exact_mut(y.len() / blends.len()).zip(blends) {
        let [a, b] = inputs.map(|input| &x[input * size..][..size]);
        each!(blended = |a, b| v * a + w * b);
        interpolate(axes, sizes, blended, y, scratch);
    }
}

/// The adjoint of [`interpolate`], which adds to `dx`, in the precision of either.
fn add_gradient<T: Real, S: Real>(
    axes: &[Vec<Blend<T>>],
    sizes: &[usize],
    dy: &[T],
    dx: &mut [S],
    scratch: &mut [S],
) {
    let ([blends, axes @ ..], [_, sizes @ ..]) = (axes, sizes) else { return };
    // Of one type the compiler makes nothing.
    let sum = |value: T| S::of(value.as_f64());
    if axes.is_empty() {
        for (&dy, &Blend { inputs: [i, j], weights: [v, w] }) in dy.iter().zip(blends) {
            dx[i] += sum(v) * sum(dy);
            dx[j] += sum(w) * sum(dy);
        }
        return;
    }
    let size = sizes.iter().product();
    let (blended, scratch) = scratch.split_at_mut(size);
    for (dy, &Blend { inputs, weights }) in dy.chunks_exact(dy.len() / blends.len()).zip(blends) {
        blended.fill(S::zero());
        add_gradient(axes, sizes, dy, blended, scratch);
        let blended = &*blended;
        for (input, w) in inputs.into_iter().zip(weights.map(sum)) {
            let dx = &mut dx[input * size..][..size];
            each!(dx = |b: blended| dx + w * b);
        }
    }
}

/// What a [`LinearUpSampling`] layer keeps between its passes: the size of a channel of the input and of the output, and from
/// the first pass on the weights along each axis, which all clones share.
#[derive(Clone, Debug, Default)]
pub struct LinearUpSamplingCache<T: Real> {
    sizes: [Vec<usize>; 2],
    blends: Arc<OnceLock<Vec<Vec<Blend<T>>>>>,
    copies: [Buffer<T>; 2],
    scratch: Buffer<T>,
    /// For gradients of inputs that very many outputs are made of.
    sums: Buffer<f64>,
}

impl<T: Real> LinearUpSamplingCache<T> {
    /// Whether so many outputs are made of one input that their gradients are too many for one chain of additions: along each
    /// axis it has those of the outputs on both sides.
    fn has_long_sums(&self) -> bool {
        let [inputs, outputs] = &self.sizes;
        outputs.iter().zip(inputs).any(|(outputs, inputs)| 2 * (outputs / inputs) > CHAIN)
    }
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
        let LinearUpSamplingCache { sizes, blends, copies: [from_copy, to_copy], scratch, .. } = cache;
        let blends = blends.get_or_init(|| self.blends(sizes));
        let [inputs, outputs] = [0, 1].map(|side: usize| sizes[side].iter().product::<usize>());
        scratch.reserve(2 * inputs);
        let x = contiguous(x, from_copy);
        write_contiguous(y, to_copy, |y| {
            for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(outputs)) {
                interpolate(blends, &sizes[0], x, y, scratch);
            }
        });
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, LinearUpSamplingCache<T>>) {
        let Some(dx) = dx else { return };
        let has_long_sums = cache.has_long_sums();
        let LinearUpSamplingCache { sizes, blends, copies: [from_copy, to_copy], scratch, sums } = cache;
        let blends = blends.get_or_init(|| self.blends(sizes));
        let [inputs, outputs] = [0, 1].map(|side: usize| sizes[side].iter().product::<usize>());
        scratch.reserve(2 * inputs);
        let dy = contiguous(dy, from_copy);
        write_contiguous(dx, to_copy, |dx| {
            if has_long_sums {
                sums.reserve(3 * inputs);
                let (sums, scratch) = sums.split_at_mut(inputs);
                for (dx, dy) in dx.chunks_exact_mut(inputs).zip(dy.chunks_exact(outputs)) {
                    sums.fill(0.0);
                    add_gradient(blends, &sizes[0], dy, sums, scratch);
                    dx.iter_mut().zip(&*sums).for_each(|(dx, &sum)| *dx = T::of(sum));
                }
                return;
            }
            dx.fill(T::zero());
            for (dx, dy) in dx.chunks_exact_mut(inputs).zip(dy.chunks_exact(outputs)) {
                add_gradient(blends, &sizes[0], dy, dx, scratch);
            }
        });
    }
}
