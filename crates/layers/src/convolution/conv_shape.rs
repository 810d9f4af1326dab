//! The shape of a convolution, and views of its kernel and features.

use std::ops::Range;

use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, s};

use super::patches::Tile;
use super::window::Geometry;

/// How many bytes a part of the matrix of patches may take: it shares the second cache with kernels and features.
pub(super) const PART_BYTES: usize = 384 << 10;

/// How many positions a part has.
pub(super) const PART_POSITIONS: usize = 1024;

/// The shape of a convolution.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConvShape<const N: usize> {
    pub(super) geometry: Geometry<N>,
    pub(super) groups: usize,
    /// The number of channels of a group in the image, and in the features.
    pub(super) channels: [usize; 2],
}

impl<const N: usize> ConvShape<N> {
    /// The sizes of a channel of the image, of a channel of the features, and of a channel's kernel.
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
        let ([inputs, outputs], [.., kernel_size]) = (self.channels, self.sizes());
        let size = outputs * inputs * kernel_size;
        let kernel = ArrayView2::from_shape((outputs, inputs * kernel_size), &kernel[group * size..][..size]);
        kernel
            .expect("the sizes agree")
            .slice_move(s![.., channels.start * kernel_size..channels.end * kernel_size])
    }

    /// As [`kernel`](Self::kernel), mutable.
    pub(super) fn kernel_mut<'k, T>(
        &self,
        kernel: &'k mut [T],
        group: usize,
        channels: &Range<usize>,
    ) -> ArrayViewMut2<'k, T> {
        let ([inputs, outputs], [.., kernel_size]) = (self.channels, self.sizes());
        let size = outputs * inputs * kernel_size;
        let kernel =
            ArrayViewMut2::from_shape((outputs, inputs * kernel_size), &mut kernel[group * size..][..size]);
        kernel
            .expect("the sizes agree")
            .slice_move(s![.., channels.start * kernel_size..channels.end * kernel_size])
    }

    /// As [`kernel`](Self::kernel), for one position along the first axis of a permuted kernel,
    /// `[groups, features, first axis, channels, other axes]`.
    pub(super) fn permuted_kernel<'k, T>(
        &self,
        kernel: &'k [T],
        group: usize,
        position: usize,
        channels: &Range<usize>,
    ) -> ArrayView2<'k, T> {
        let ([inputs, outputs], [.., kernel_size]) = (self.channels, self.sizes());
        let inner = kernel_size / self.geometry.kernel[0];
        let kernel =
            &kernel[(group * outputs * kernel_size + position * inner) * inputs + channels.start * inner..];
        let shape = (outputs, channels.len() * inner).strides((inputs * kernel_size, 1));
        ArrayView2::from_shape(shape, kernel).expect("the sizes agree")
    }

    /// The features of a group in a tile, with a row for each channel.
    pub(super) fn features<'f, T>(
        &self,
        features: &'f [T],
        group: usize,
        tile: &Tile<N>,
    ) -> ArrayView2<'f, T> {
        let ([_, outputs], [_, positions, _]) = (self.channels, self.sizes());
        let shape = (outputs, tile.columns).strides((positions, 1));
        let features = &features[group * outputs * positions + tile.start..];
        ArrayView2::from_shape(shape, features).expect("the sizes agree")
    }

    /// As [`features`](Self::features), mutable.
    pub(super) fn features_mut<'f, T>(
        &self,
        features: &'f mut [T],
        group: usize,
        tile: &Tile<N>,
    ) -> ArrayViewMut2<'f, T> {
        let ([_, outputs], [_, positions, _]) = (self.channels, self.sizes());
        let shape = (outputs, tile.columns).strides((positions, 1));
        let features = &mut features[group * outputs * positions + tile.start..];
        ArrayViewMut2::from_shape(shape, features).expect("the sizes agree")
    }

    /// The groups, and the channels of the image, in parts of no more than these.
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
