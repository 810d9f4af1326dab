//! The linear map in every convolution, and its two derivatives.
//!
//! With the kernel `W` and the image `I`, for every group of channels,
//!
//! > `F[m, o] = Σ W[m, c, k] I[c, o·stride + k·dilation - before]` over `c` and `k`, where `I` is 0 outside.
//!
//! Its adjoint, from `F` to `I`, is the gradient of the image, and the forward pass of a transposed convolution. All
//! three are products with the matrix of patches `P`, which has a row for each `(c, k)` and a column for each `o`
//! ("im2col"): `F = W P`, `dW = dF Pᵀ` and `dP = Wᵀ dF`.
//!
//! The matrix of patches is made in one of two ways, [`Overlapped`] and [`Copied`], for a part of the channels and
//! positions that stays in the second cache.

use std::ops::Range;

use chainrule_tensor::conv::ImplicitWindows;
use chainrule_tensor::{Buffer, Real};
use ndarray::{ArrayView1, ArrayView2, ArrayViewMut1, ArrayViewMut2, ShapeBuilder, s};

use super::copied::Copied;
use super::lowering::Tile;
use super::overlapped::Overlapped;
use super::window::Geometry;

/// How many bytes a part of the matrix of patches may take: it shares the second cache with kernels and features.
pub(super) const BYTES: usize = 384 << 10;

/// How many positions a part has.
pub(super) const POSITIONS: usize = 1024;

/// The shape of the map.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) groups: usize,
    /// The channels that a group has in the image, and in the features.
    pub(super) channels: [usize; 2],
}

impl<const N: usize> Map<N> {
    /// How many values a channel of the image and of the features have, and a channel's kernel.
    pub(super) fn sizes(&self) -> [usize; 3] {
        let Geometry { image, features, kernel, .. } = &self.geometry;
        [image, features, kernel].map(|size| size.iter().product())
    }

    /// The kernel of a group as a matrix with a row for each channel of the features, for some channels of the image.
    pub(super) fn kernel<'k, T>(
        &self,
        kernel: &'k [T],
        group: usize,
        channels: &Range<usize>,
    ) -> ArrayView2<'k, T> {
        let ([inputs, outputs], [.., taps]) = (self.channels, self.sizes());
        let size = outputs * inputs * taps;
        let kernel = ArrayView2::from_shape((outputs, inputs * taps), &kernel[group * size..][..size]);
        kernel.expect("as many values").slice_move(s![.., channels.start * taps..channels.end * taps])
    }

    /// As [`kernel`](Self::kernel), to be added to.
    pub(super) fn kernel_mut<'k, T>(
        &self,
        kernel: &'k mut [T],
        group: usize,
        channels: &Range<usize>,
    ) -> ArrayViewMut2<'k, T> {
        let ([inputs, outputs], [.., taps]) = (self.channels, self.sizes());
        let size = outputs * inputs * taps;
        let kernel = ArrayViewMut2::from_shape((outputs, inputs * taps), &mut kernel[group * size..][..size]);
        kernel.expect("as many values").slice_move(s![.., channels.start * taps..channels.end * taps])
    }

    /// The same as [`kernel`](Self::kernel) for one place of the kernel along the first axis, of a kernel `[groups, features, first places, channels,
    /// other places]`.
    pub(super) fn turned<'k, T>(
        &self,
        kernel: &'k [T],
        group: usize,
        place: usize,
        channels: &Range<usize>,
    ) -> ArrayView2<'k, T> {
        let ([inputs, outputs], [.., taps]) = (self.channels, self.sizes());
        let inner = taps / self.geometry.kernel[0];
        let kernel = &kernel[(group * outputs * taps + place * inner) * inputs + channels.start * inner..];
        let shape = (outputs, channels.len() * inner).strides((inputs * taps, 1));
        ArrayView2::from_shape(shape, kernel).expect("as many values")
    }

    /// The features of a group in a tile, a row for each channel.
    pub(super) fn features<'f, T>(
        &self,
        features: &'f [T],
        group: usize,
        tile: &Tile<N>,
    ) -> ArrayView2<'f, T> {
        let ([_, outputs], [_, positions, _]) = (self.channels, self.sizes());
        let shape = (outputs, tile.columns).strides((positions, 1));
        let features = &features[group * outputs * positions + tile.at..];
        ArrayView2::from_shape(shape, features).expect("as many values")
    }

    /// As [`features`](Self::features), to be written.
    pub(super) fn features_mut<'f, T>(
        &self,
        features: &'f mut [T],
        group: usize,
        tile: &Tile<N>,
    ) -> ArrayViewMut2<'f, T> {
        let ([_, outputs], [_, positions, _]) = (self.channels, self.sizes());
        let shape = (outputs, tile.columns).strides((positions, 1));
        let features = &mut features[group * outputs * positions + tile.at..];
        ArrayViewMut2::from_shape(shape, features).expect("as many values")
    }

    /// The groups and channels of the image, in parts of no more than these.
    pub(super) fn parts(
        &self,
        [groups, channels]: [usize; 2],
    ) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<N> {
        let (all, [inputs, _]) = (self.groups, self.channels);
        (0..all).step_by(groups).flat_map(move |group| {
            let of = move |channel| channel..inputs.min(channel + channels);
            (0..inputs).step_by(channels).map(move |channel| (group..all.min(group + groups), of(channel)))
        })
    }
}

/// The map for one shape of images, with the memory that it needs.
#[derive(Clone, Debug)]
pub(super) enum Correlation<T: Real, const N: usize> {
    Overlapped(Overlapped<T, N>),
    Copied(Copied<T, N>),
}

impl<T: Real, const N: usize> Correlation<T, N> {
    pub(super) fn new(map: Map<N>) -> Self {
        let ([_, positions, taps], [inputs, outputs]) = (map.sizes(), map.channels);
        // Few positions leave lanes of a register empty, and each sample goes through all of a group's kernel.
        let lanes = positions.div_ceil(16).saturating_mul(16);
        let full = positions >= lanes - lanes / 4;
        let kernel = inputs.saturating_mul(outputs).saturating_mul(taps).saturating_mul(size_of::<T>());
        let small = kernel <= 1 << 20;
        match ImplicitWindows::is_fast::<T>() && (full && small || positions > 128) {
            true => Self::Overlapped(Overlapped::new(map)),
            false => Self::Copied(Copied::new(map)),
        }
    }

    /// `F = W P + b`: overwrites the features.
    pub(super) fn features(
        &mut self,
        image: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        features: ArrayViewMut2<'_, T>,
    ) {
        match self {
            Self::Overlapped(map) => map.features(image, kernel, bias, features),
            Self::Copied(map) => map.features(image, kernel, bias, features),
        }
    }

    /// The adjoint, `P = Wᵀ F` added up where patches overlap, and a bias: overwrites the image.
    pub(super) fn image(
        &mut self,
        features: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        image: ArrayViewMut2<'_, T>,
    ) {
        match self {
            Self::Overlapped(map) => map.image(features, kernel, bias, image),
            Self::Copied(map) => map.image(features, kernel, bias, image),
        }
    }

    /// `dW += F Pᵀ`, where `F` is a gradient of features, or `P` one of an image.
    pub(super) fn kernel(&mut self, image: ArrayView2<'_, T>, features: ArrayView2<'_, T>, kernel: &mut [T]) {
        match self {
            Self::Overlapped(map) => map.kernel(image, features, kernel),
            Self::Copied(map) => map.kernel(image, features, kernel),
        }
    }
}

/// The values of a row, copied if they do not lie side by side.
pub(super) fn read<'a, T: Real>(row: ArrayView1<'a, T>, copy: &'a mut Buffer<T>) -> &'a [T] {
    if let Some(values) = row.to_slice() {
        return values;
    }
    copy.reserve(row.len());
    copy.iter_mut().zip(row).for_each(|(copy, &value)| *copy = value);
    &copy[..row.len()]
}

/// Runs `f` on the values of a row, or on a copy that is written back.
pub(super) fn edit<T: Real>(mut row: ArrayViewMut1<'_, T>, copy: &mut Buffer<T>, f: impl FnOnce(&mut [T])) {
    if let Some(values) = row.as_slice_mut() {
        return f(values);
    }
    let len = read(row.view(), copy).len();
    f(&mut copy[..len]);
    row.iter_mut().zip(&**copy).for_each(|(value, &copy)| *value = copy);
}

/// Fills each channel of `size` values with its bias, or with zeros.
pub(super) fn start<T: Real>(channels: &mut [T], size: usize, bias: Option<&[T]>) {
    match bias {
        Some(bias) => channels.chunks_exact_mut(size).zip(bias).for_each(|(channel, &b)| channel.fill(b)),
        None => channels.fill(T::zero()),
    }
}
