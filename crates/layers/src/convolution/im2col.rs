//! A convolution as a product with a matrix of copied patches.

use chainrule_tensor::vector::{CHAIN, LongSum};
use chainrule_tensor::{Buffer, Real, gemm};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::channels::{contiguous_row, edit_row, fill_with_bias};
use super::conv_shape::{ConvShape, PART_BYTES, PART_POSITIONS};
use super::patches::{PatchLayout, Tile, tiles};

/// Samples are combined up to this number of positions.
const COLUMNS: usize = 256;

/// The algorithm for every type of number and CPU.
///
/// If features have few positions, the patches of many samples are stored next to each other: those of one sample would not fill
/// a register, and each sample would go through all of the kernel.
#[derive(Clone, Debug)]
pub(super) struct Im2col<T: Real, const N: usize> {
    shape: ConvShape<N>,
    /// How many samples are combined.
    samples: usize,
    /// How many channels of a group are copied at a time.
    channels: usize,
    layout: PatchLayout<N>,
    patches: Buffer<T>,
    /// The gradient of the patches.
    gradient: Buffer<T>,
    /// The features of a group, of many samples.
    features: Buffer<T>,
    copy: Buffer<T>,
    /// The gradient of the kernel, over many samples.
    long: LongSum<T>,
}

impl<T: Real, const N: usize> Im2col<T, N> {
    pub(super) fn new(shape: ConvShape<N>) -> Self {
        let [_, positions, kernel_size] = shape.sizes();
        let samples = (COLUMNS / positions).max(1);
        let columns =
            tiles(shape.geometry.features, PART_POSITIONS).next().map_or(1, |tile| samples * tile.columns);
        Self {
            shape,
            samples,
            channels: (PART_BYTES / size_of::<T>() / columns / kernel_size).clamp(1, shape.channels[0]),
            layout: PatchLayout::default(),
            patches: Buffer::default(),
            gradient: Buffer::default(),
            features: Buffer::default(),
            copy: Buffer::default(),
            long: LongSum::default(),
        }
    }

    /// Prepares for the patches of a tile of this number of images.
    fn prepare(&mut self, tile: &Tile<N>, images: usize) {
        if self.layout.separate_rows(&self.shape.geometry, tile, images * tile.columns) {
            let size = self.channels * self.layout.channel;
            self.patches.reserve(size);
            if self.layout.clipped {
                self.patches[..size].fill(T::zero());
            }
        }
    }

    /// The patches of some channels of images, from the channel `first` on: a row for each channel and position of the kernel.
    fn patches(
        &mut self,
        images: ArrayView2<'_, T>,
        tile: &Tile<N>,
        first: usize,
        channels: usize,
    ) -> ArrayView2<'_, T> {
        let [size, _, kernel_size] = self.shape.sizes();
        self.prepare(tile, images.nrows());
        for (sample, image) in images.rows().into_iter().enumerate() {
            let image = &contiguous_row(image, &mut self.copy)[first * size..];
            self.layout.im2col(channels, image, &mut self.patches[sample * tile.columns..]);
        }
        self.patches.matrix(channels * kernel_size, images.nrows() * tile.columns)
    }

    /// Gathers the features of a group: a row for each channel.
    fn gather(&mut self, features: ArrayView2<'_, T>, tile: &Tile<N>, group: usize) {
        let [_, outputs] = self.shape.channels;
        let columns = features.nrows() * tile.columns;
        self.features.reserve(outputs * columns);
        for (sample, row) in features.rows().into_iter().enumerate() {
            let row = self.shape.features(contiguous_row(row, &mut self.copy), group, tile);
            for (to, from) in self.features.chunks_exact_mut(columns).zip(row.rows()) {
                let from = from.to_slice().expect("the features of a channel are contiguous");
                to[sample * tile.columns..][..tile.columns].copy_from_slice(from);
            }
        }
    }

    pub(super) fn forward(
        &mut self,
        image: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        mut features: ArrayViewMut2<'_, T>,
    ) {
        let shape = self.shape;
        let [inputs, outputs] = shape.channels;
        let samples = features.axis_chunks_iter_mut(Axis(0), self.samples);
        for (image, mut features) in image.axis_chunks_iter(Axis(0), self.samples).zip(samples) {
            for tile in tiles(shape.geometry.features, PART_POSITIONS) {
                let columns = image.nrows() * tile.columns;
                self.features.reserve(outputs * columns);
                for (groups, channels) in shape.parts([1, self.channels]) {
                    let group = groups.start;
                    let first = group * inputs + channels.start;
                    let mut sums = std::mem::take(&mut self.features);
                    let beta = if channels.start == 0 { T::zero() } else { T::one() };
                    let w = shape.kernel(kernel, group, &channels);
                    let p = self.patches(image, &tile, first, channels.len());
                    gemm(T::one(), w, p, beta, sums.matrix_mut(outputs, columns)); //               F += W P
                    self.features = sums;
                    if channels.end < inputs {
                        continue;
                    }
                    for (sample, row) in features.rows_mut().into_iter().enumerate() {
                        edit_row(row, &mut self.copy, |row| {
                            let mut row = shape.features_mut(row, group, &tile);
                            for (channel, mut to) in row.rows_mut().into_iter().enumerate() {
                                let bias = bias.map_or(T::zero(), |bias| bias[group * outputs + channel]);
                                let from = &self.features[channel * columns + sample * tile.columns..];
                                to.iter_mut().zip(from).for_each(|(to, &from)| *to = from + bias);
                            }
                        });
                    }
                }
            }
        }
    }

    pub(super) fn backward_weights(
        &mut self,
        image: ArrayView2<'_, T>,
        features: ArrayView2<'_, T>,
        kernel: &mut [T],
    ) {
        let mut long = std::mem::take(&mut self.long);
        let parts = image.nrows().div_ceil(self.samples)
            * tiles(self.shape.geometry.features, PART_POSITIONS).count();
        if parts > CHAIN {
            long.start(kernel.len());
        }
        let samples = features.axis_chunks_iter(Axis(0), self.samples);
        for (image, features) in image.axis_chunks_iter(Axis(0), self.samples).zip(samples) {
            for tile in tiles(self.shape.geometry.features, PART_POSITIONS) {
                let sum = if parts > CHAIN { long.part() } else { &mut *kernel };
                self.add_weights(image, features, &tile, sum);
            }
        }
        if parts > CHAIN {
            long.add_to(kernel);
        }
        self.long = long;
    }

    /// Adds the gradient of the kernel from one tile of some samples.
    fn add_weights(
        &mut self,
        image: ArrayView2<'_, T>,
        features: ArrayView2<'_, T>,
        tile: &Tile<N>,
        kernel: &mut [T],
    ) {
        let shape = self.shape;
        let [inputs, outputs] = shape.channels;
        for (groups, channels) in shape.parts([1, self.channels]) {
            let group = groups.start;
            let first = group * inputs + channels.start;
            if channels.start == 0 {
                self.gather(features, tile, group);
            }
            let gathered = std::mem::take(&mut self.features);
            let f = gathered.matrix(outputs, image.nrows() * tile.columns);
            let p = self.patches(image, tile, first, channels.len());
            let dw = shape.kernel_mut(kernel, group, &channels);
            gemm(T::one(), f, p.reversed_axes(), T::one(), dw); //                                  dW += F Pᵀ
            self.features = gathered;
        }
    }

    pub(super) fn backward_data(
        &mut self,
        features: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        mut image: ArrayViewMut2<'_, T>,
    ) {
        let shape = self.shape;
        let [inputs, outputs] = shape.channels;
        let [size, _, kernel_size] = shape.sizes();
        for row in image.rows_mut() {
            edit_row(row, &mut self.copy, |row| fill_with_bias(row, size, bias));
        }
        let samples = features.axis_chunks_iter(Axis(0), self.samples);
        for (mut image, features) in image.axis_chunks_iter_mut(Axis(0), self.samples).zip(samples) {
            for tile in tiles(shape.geometry.features, PART_POSITIONS) {
                self.prepare(&tile, image.nrows());
                let columns = image.nrows() * tile.columns;
                self.gradient.reserve(self.channels * kernel_size * columns);
                for (groups, channels) in shape.parts([1, self.channels]) {
                    let group = groups.start;
                    let first = group * inputs + channels.start;
                    if channels.start == 0 {
                        self.gather(features, &tile, group);
                    }
                    let w = shape.kernel(kernel, group, &channels);
                    let f = self.features.matrix(outputs, columns);
                    let p = self.gradient.matrix_mut(channels.len() * kernel_size, columns);
                    gemm(T::one(), w.reversed_axes(), f, T::zero(), p); //                          P = Wᵀ F
                    for (sample, row) in image.rows_mut().into_iter().enumerate() {
                        let patches = &self.gradient[sample * tile.columns..];
                        edit_row(row, &mut self.copy, |row| {
                            self.layout.col2im(channels.len(), patches, &mut row[first * size..]);
                        });
                    }
                }
            }
        }
    }
}
