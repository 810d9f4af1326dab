//! Images with more values than they had.

use std::sync::{Arc, OnceLock};

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape};

use super::moves::{Moves, Runs, moves, shape};
use crate::Axes;
use crate::contiguous::{contiguous, write_contiguous};

/// How large the output is along each of `N` spatial axes.
#[derive(Clone, Copy, Debug)]
pub enum Larger<const N: usize> {
    /// So many times as large as the input.
    By([usize; N]),
    /// Just so large, or small.
    To([usize; N]),
}

/// Each value `factor` times along each of `N` spatial axes of `[channels, axes...]`: the nearest input, as Keras' `UpSampling` and
/// PyTorch's `Upsample` have it by default. With [`to_size`](Self::to_size) output `i` along an axis is input `⌊i n / m⌋`, for `n`
/// inputs and `m` outputs.
#[derive(Clone, Copy, Debug)]
pub struct UpSampling<const N: usize> {
    larger: Larger<N>,
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
        Self { larger: Larger::By(factors.axes()) }
    }

    /// To this size, as PyTorch's `Upsample(size=...)`: one for all axes, or one for each.
    pub fn to_size(size: impl Axes<N>) -> Self {
        Self { larger: Larger::To(size.axes()) }
    }
}

impl<const N: usize> Larger<N> {
    /// The shape of the output.
    fn shape(self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        let (Self::By(numbers) | Self::To(numbers)) = self;
        if input.len() != N + 1 || numbers.contains(&0) || input.contains(&0) {
            let what = if matches!(self, Self::By(_)) { "factors" } else { "sizes" };
            let expected =
                format!("[channels] and {N} more axes, each at least 1, and {what} of at least 1,");
            return Err(plan.error(
                input,
                &expected,
                &format!("put Reshape before it, or choose other {what}"),
            ));
        }
        let mut axes = input.to_vec();
        for (axis, number) in axes[1..].iter_mut().zip(numbers) {
            *axis = if matches!(self, Self::By(_)) { axis.saturating_mul(number) } else { number };
        }
        shape(&axes, input, plan)
    }
}

impl<const N: usize> Moves for UpSampling<N> {
    fn output(&self, input: Shape, plan: &Plan) -> Result<Shape, ShapeError> {
        self.larger.shape(input, plan)
    }

    fn runs(&self, input: Shape, output: Shape) -> Runs {
        // Both sizes lie in memory, so their product does not wrap.
        Runs::by_axis(input, output, 0.0, |axis, at| {
            Some((at as u128 * input[axis] as u128 / output[axis] as u128) as usize)
        })
    }
}

moves! {
    [const N: usize] UpSampling<N>;
}

/// Linear interpolation along each of `N` spatial axes of `[channels, axes...]`: bilinear for images, trilinear for volumes.
///
/// Output `i` along an axis lies at `(i + ½) n / m - ½` between the inputs, for `n` inputs and `m` outputs, and takes from its two
/// neighbours by their nearness; before the first and behind the last it is those. With
/// [`align_corners`](Self::align_corners) it lies at `i (n - 1) / (m - 1)`, so that first and last come to lie on each other. Both as
/// PyTorch's `Upsample`; Keras has the first.
#[derive(Clone, Copy, Debug)]
pub struct LinearUpSampling<const N: usize> {
    larger: Larger<N>,
    align_corners: bool,
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
        Self { larger: Larger::By(factors.axes()), align_corners: false }
    }

    /// To this size, as PyTorch's `Upsample(size=...)`: one for all axes, or one for each.
    pub fn to_size(size: impl Axes<N>) -> Self {
        Self { larger: Larger::To(size.axes()), align_corners: false }
    }

    /// The first and the last output of an axis are its first and last input.
    #[must_use]
    pub fn align_corners(self) -> Self {
        Self { align_corners: true, ..self }
    }

    /// Between which inputs an output lies, and how near it is to the second.
    fn between(self, at: usize, inputs: usize, outputs: usize) -> (usize, usize, f64) {
        let (at, last) = (at as f64, (inputs - 1) as f64);
        let place = match self.align_corners {
            true => at * last / (outputs - 1).max(1) as f64,
            false => ((at + 0.5) * inputs as f64 / outputs as f64 - 0.5).clamp(0.0, last),
        };
        let first = place.floor().min(last);
        (first as usize, (first + 1.0).min(last) as usize, place - first)
    }

    /// For each output of a channel the inputs that it takes from, with their weights.
    fn taps<T: Real>(self, [inputs, outputs]: &[Vec<usize>; 2]) -> Vec<(usize, T)> {
        let plane: usize = outputs.iter().product();
        let mut taps = Vec::with_capacity(plane << N);
        for index in 0..plane {
            let (mut left, mut between) = (index, [(0, 0, 0.0); N]);
            for axis in (0..N).rev() {
                between[axis] = self.between(left % outputs[axis], inputs[axis], outputs[axis]);
                left /= outputs[axis];
            }
            for corner in 0..1usize << N {
                let (mut from, mut weight) = (0, 1.0);
                for (axis, (first, second, share)) in between.into_iter().enumerate() {
                    let (at, part) =
                        if corner >> axis & 1 == 0 { (first, 1.0 - share) } else { (second, share) };
                    (from, weight) = (from * inputs[axis] + at, weight * part);
                }
                taps.push((from, T::of(weight)));
            }
        }
        taps
    }
}

/// What a [`LinearUpSampling`] remembers: the size of a channel, before and after it, and from the first pass on for each
/// output of one the inputs that it takes from, with their weights. All copies share these.
#[derive(Clone, Debug, Default)]
pub struct Taps<T: Real> {
    sizes: [Vec<usize>; 2],
    taps: Arc<OnceLock<Vec<(usize, T)>>>,
    copies: [Buffer<T>; 2],
}

impl<T: Real, const N: usize> Layer<T> for LinearUpSampling<N> {
    type Cache = Taps<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Taps<T>), ShapeError> {
        let output = self.larger.shape(input, plan)?;
        let sizes = [input, output].map(|shape| shape[1..].to_vec());
        Ok((output, Taps { sizes, ..Taps::default() }))
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Taps<T>>) {
        let Taps { sizes, taps, copies: [copy, room] } = cache;
        let (taps, inputs) = (taps.get_or_init(|| self.taps(sizes)), sizes[0].iter().product());
        let (corners, x) = (1 << N, contiguous(x, copy));
        write_contiguous(y, room, |y| {
            for (x, y) in x.chunks_exact(inputs).zip(y.chunks_exact_mut(taps.len() / corners)) {
                for (y, taps) in y.iter_mut().zip(taps.chunks_exact(corners)) {
                    *y = taps.iter().fold(T::zero(), |sum, &(from, weight)| sum + weight * x[from]);
                }
            }
        });
    }

    fn backward(&self, Backward { dy, dx, cache, .. }: Backward<'_, T, Taps<T>>) {
        let Some(dx) = dx else { return };
        let Taps { sizes, taps, copies: [copy, room] } = cache;
        let (taps, inputs) = (taps.get_or_init(|| self.taps(sizes)), sizes[0].iter().product());
        let (corners, dy) = (1 << N, contiguous(dy, copy));
        write_contiguous(dx, room, |dx| {
            dx.fill(T::zero());
            for (dx, dy) in dx.chunks_exact_mut(inputs).zip(dy.chunks_exact(taps.len() / corners)) {
                for (&dy, taps) in dy.iter().zip(taps.chunks_exact(corners)) {
                    taps.iter().for_each(|&(from, weight)| dx[from] += weight * dy);
                }
            }
        });
    }
}
