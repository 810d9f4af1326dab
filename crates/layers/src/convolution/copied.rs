//! Patches that are all copies, multiplied by BLAS.

use chainrule_tensor::{Buffer, Real, gemm};
use ndarray::{ArrayView2, ArrayViewMut2, Axis};

use super::correlation::{BYTES, Map, POSITIONS, edit, read, start};
use super::lowering::{Lowering, Tile, tiles};

/// Samples are together as long as they have no more positions than this.
const COLUMNS: usize = 256;

/// Where features have few positions, the patches of many samples lie side by side: a sample's alone would fill no
/// register, and go through all of the kernel. It serves every type of number and CPU.
#[derive(Clone, Debug)]
pub(super) struct Copied<T: Real, const N: usize> {
    map: Map<N>,
    /// How many samples are together.
    samples: usize,
    /// How many channels of a group are copied at a time.
    channels: usize,
    lowering: Lowering<N>,
    patches: Buffer<T>,
    /// The gradient of patches.
    gradient: Buffer<T>,
    /// The features of a group, of many samples.
    features: Buffer<T>,
    copy: Buffer<T>,
}

impl<T: Real, const N: usize> Copied<T, N> {
    pub(super) fn new(map: Map<N>) -> Self {
        let [_, positions, taps] = map.sizes();
        let samples = (COLUMNS / positions).max(1);
        let columns = tiles(map.geometry.features, POSITIONS).next().map_or(1, |tile| samples * tile.columns);
        Self {
            map,
            samples,
            channels: (BYTES / size_of::<T>() / columns / taps).clamp(1, map.channels[0]),
            lowering: Lowering::default(),
            patches: Buffer::default(),
            gradient: Buffer::default(),
            features: Buffer::default(),
            copy: Buffer::default(),
        }
    }

    /// Makes ready for the patches of a tile of so many images.
    fn prepare(&mut self, tile: &Tile<N>, images: usize) {
        if self.lowering.whole(&self.map.geometry, tile, images * tile.columns) {
            let size = self.channels * self.lowering.channel;
            self.patches.reserve(size);
            if self.lowering.clipped {
                self.patches[..size].fill(T::zero());
            }
        }
    }

    /// The patches of some channels of images, from the channel `first` on: a row for each channel and place of the kernel.
    fn lower(
        &mut self,
        images: ArrayView2<'_, T>,
        tile: &Tile<N>,
        first: usize,
        channels: usize,
    ) -> ArrayView2<'_, T> {
        let [size, _, taps] = self.map.sizes();
        self.prepare(tile, images.nrows());
        for (sample, image) in images.rows().into_iter().enumerate() {
            let image = &read(image, &mut self.copy)[first * size..];
            self.lowering.im2col(channels, image, &mut self.patches[sample * tile.columns..]);
        }
        self.patches.matrix(channels * taps, images.nrows() * tile.columns)
    }

    /// Brings the features of a group together: a row for each channel.
    fn gather(&mut self, features: ArrayView2<'_, T>, tile: &Tile<N>, group: usize) {
        let ([_, outputs], columns) = (self.map.channels, features.nrows() * tile.columns);
        self.features.reserve(outputs * columns);
        for (sample, row) in features.rows().into_iter().enumerate() {
            let row = self.map.features(read(row, &mut self.copy), group, tile);
            for (to, from) in self.features.chunks_exact_mut(columns).zip(row.rows()) {
                let from = from.to_slice().expect("the features of a channel lie side by side");
                to[sample * tile.columns..][..tile.columns].copy_from_slice(from);
            }
        }
    }

    pub(super) fn features(
        &mut self,
        image: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        mut features: ArrayViewMut2<'_, T>,
    ) {
        let (map, [inputs, outputs]) = (self.map, self.map.channels);
        let samples = features.axis_chunks_iter_mut(Axis(0), self.samples);
        for (image, mut features) in image.axis_chunks_iter(Axis(0), self.samples).zip(samples) {
            for tile in tiles(map.geometry.features, POSITIONS) {
                let columns = image.nrows() * tile.columns;
                self.features.reserve(outputs * columns);
                for (groups, channels) in map.parts([1, self.channels]) {
                    let (group, first) = (groups.start, groups.start * inputs + channels.start);
                    let mut sums = std::mem::take(&mut self.features);
                    let beta = if channels.start == 0 { T::zero() } else { T::one() };
                    let (w, p) = (
                        map.kernel(kernel, group, &channels),
                        self.lower(image, &tile, first, channels.len()),
                    );
                    gemm(T::one(), w, p, beta, sums.matrix_mut(outputs, columns)); //               F += W P
                    self.features = sums;
                    if channels.end < inputs {
                        continue;
                    }
                    for (sample, row) in features.rows_mut().into_iter().enumerate() {
                        edit(row, &mut self.copy, |row| {
                            let mut row = map.features_mut(row, group, &tile);
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

    pub(super) fn kernel(&mut self, image: ArrayView2<'_, T>, features: ArrayView2<'_, T>, kernel: &mut [T]) {
        let (map, [inputs, outputs]) = (self.map, self.map.channels);
        let samples = features.axis_chunks_iter(Axis(0), self.samples);
        for (image, features) in image.axis_chunks_iter(Axis(0), self.samples).zip(samples) {
            for tile in tiles(map.geometry.features, POSITIONS) {
                for (groups, channels) in map.parts([1, self.channels]) {
                    let (group, first) = (groups.start, groups.start * inputs + channels.start);
                    if channels.start == 0 {
                        self.gather(features, &tile, group);
                    }
                    let gathered = std::mem::take(&mut self.features);
                    let f = gathered.matrix(outputs, image.nrows() * tile.columns);
                    let p = self.lower(image, &tile, first, channels.len());
                    let dw = map.kernel_mut(kernel, group, &channels);
                    gemm(T::one(), f, p.reversed_axes(), T::one(), dw); //                          dW += F Pᵀ
                    self.features = gathered;
                }
            }
        }
    }

    pub(super) fn image(
        &mut self,
        features: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        mut image: ArrayViewMut2<'_, T>,
    ) {
        let (map, [inputs, outputs], [size, _, taps]) = (self.map, self.map.channels, self.map.sizes());
        for row in image.rows_mut() {
            edit(row, &mut self.copy, |row| start(row, size, bias));
        }
        let samples = features.axis_chunks_iter(Axis(0), self.samples);
        for (mut image, features) in image.axis_chunks_iter_mut(Axis(0), self.samples).zip(samples) {
            for tile in tiles(map.geometry.features, POSITIONS) {
                self.prepare(&tile, image.nrows());
                let columns = image.nrows() * tile.columns;
                self.gradient.reserve(self.channels * taps * columns);
                for (groups, channels) in map.parts([1, self.channels]) {
                    let (group, first) = (groups.start, groups.start * inputs + channels.start);
                    if channels.start == 0 {
                        self.gather(features, &tile, group);
                    }
                    let (w, f) =
                        (map.kernel(kernel, group, &channels), self.features.matrix(outputs, columns));
                    let p = self.gradient.matrix_mut(channels.len() * taps, columns);
                    gemm(T::one(), w.reversed_axes(), f, T::zero(), p); //                          P = Wᵀ F
                    for (sample, row) in image.rows_mut().into_iter().enumerate() {
                        let patches = &self.gradient[sample * tile.columns..];
                        edit(row, &mut self.copy, |row| {
                            self.lowering.col2im(channels.len(), patches, &mut row[first * size..]);
                        });
                    }
                }
            }
        }
    }
}
