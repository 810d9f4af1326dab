//! Patches whose rows share memory: for CPUs with kernels for that, and features of many positions.

use std::ops::Range;

use chainrule_tensor::conv::{ImplicitWindows, Init, Rectangle, Rectangles, im2col};
use chainrule_tensor::{Buffer, Real, gemm};
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder};

use super::correlation::{BYTES, Map, POSITIONS, edit, read, start};
use super::lowering::{Lowering, Tile, tiles};

/// The image is copied once for each place of the kernel along all axes but the first. Along the first, a row of the
/// matrix of patches is the same memory as the one for the place before, read from one row of features later on.
#[derive(Clone, Debug)]
pub(super) struct Overlapped<T: Real, const N: usize> {
    map: Map<N>,
    /// Whether the image itself is its patches: it has no padding, and a kernel along the first axis only.
    plain: bool,
    /// How many groups, and channels of each, are lowered at a time.
    part: [usize; 2],
    lowering: Lowering<N>,
    patches: Buffer<T>,
    /// The gradient of patches.
    gradient: Buffer<T>,
    /// The kernel or its gradient, in another order.
    turned: Buffer<T>,
    turn: Vec<Rectangle>,
    copies: [Buffer<T>; 2],
}

impl<T: Real, const N: usize> Overlapped<T, N> {
    pub(super) fn new(map: Map<N>) -> Self {
        let geometry = &map.geometry;
        let plain = geometry.kernel[1..].iter().all(|&kernel| kernel == 1)
            && geometry.stride == [1; N]
            && geometry.before == [0; N]
            && geometry.image[1..] == geometry.features[1..]
            && geometry.image[0] == geometry.features[0] + (geometry.kernel[0] - 1) * geometry.dilation[0];
        let mut part = [map.groups, map.channels[0]];
        if let Some(tile) = tiles(geometry.features, POSITIONS).next().filter(|_| !plain) {
            let channels = (BYTES / size_of::<T>() / Lowering::size(geometry, &tile)).max(1);
            part = [(channels / map.channels[0]).clamp(1, part[0]), channels.min(part[1])];
        }
        Self {
            map,
            plain,
            part,
            lowering: Lowering::default(),
            patches: Buffer::default(),
            gradient: Buffer::default(),
            turned: Buffer::default(),
            turn: Vec::new(),
            copies: [Buffer::default(), Buffer::default()],
        }
    }

    fn tiles(&self) -> impl Iterator<Item = Tile<N>> + use<T, N> {
        tiles(self.map.geometry.features, if self.plain { usize::MAX } else { POSITIONS })
    }

    /// Makes ready for the patches of a tile.
    fn prepare(&mut self, tile: &Tile<N>) {
        let geometry = &self.map.geometry;
        if self.plain {
            self.lowering.image(geometry);
        } else if self.lowering.overlapping(geometry, tile) {
            let size = self.part[0] * self.part[1] * self.lowering.channel;
            self.patches.reserve(size);
            if self.lowering.clipped {
                self.patches[..size].fill(T::zero());
            }
        }
    }

    /// Makes the patches of an image, part by part, and hands those of each group to `f`.
    fn patches(&mut self, image: &[T], mut f: impl FnMut(&Lowering<N>, &Tile<N>, usize, Range<usize>, &[T])) {
        let ([inputs, _], [size, ..]) = (self.map.channels, self.map.sizes());
        for tile in self.tiles() {
            self.prepare(&tile);
            for (groups, channels) in self.map.parts(self.part) {
                let image = &image[(groups.start * inputs + channels.start) * size..];
                let patches = if self.plain {
                    image
                } else {
                    self.lowering.im2col(groups.len() * channels.len(), image, &mut self.patches);
                    &self.patches
                };
                let of_a_group = channels.len() * self.lowering.channel;
                for (index, group) in groups.enumerate() {
                    f(&self.lowering, &tile, group, channels.clone(), &patches[index * of_a_group..]);
                }
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
        let (map, [_, outputs]) = (self.map, self.map.channels);
        let [mut image_copy, mut features_copy] = std::mem::take(&mut self.copies);
        for (image, features) in image.rows().into_iter().zip(features.rows_mut()) {
            let image = read(image, &mut image_copy);
            edit(features, &mut features_copy, |features| {
                self.patches(image, |lowering, tile, group, channels, patches| {
                    let (starts, pitch) = (&lowering.starts[..], lowering.channel);
                    let windows =
                        ImplicitWindows { starts, rows: channels.len(), pitch, columns: tile.columns };
                    let (w, f) =
                        (map.kernel(kernel, group, &channels), map.features_mut(features, group, tile));
                    let init = match bias {
                        _ if channels.start > 0 => Init::Accumulate,
                        Some(bias) => Init::Rows(&bias[group * outputs..][..outputs]),
                        None => Init::Zeros,
                    };
                    windows.product(w, patches, init, f); //                                F = W P + b
                });
            });
        }
        self.copies = [image_copy, features_copy];
    }

    pub(super) fn kernel(&mut self, image: ArrayView2<'_, T>, features: ArrayView2<'_, T>, kernel: &mut [T]) {
        let (map, [inputs, outputs], [.., taps]) = (self.map, self.map.channels, self.map.sizes());
        let inner = taps / map.geometry.kernel[0];
        let [mut image_copy, mut features_copy] = std::mem::take(&mut self.copies);
        // With a row for each row of patches, and the channels of the features side by side.
        let mut turned = std::mem::take(&mut self.turned);
        turned.reserve(kernel.len());
        turned[..kernel.len()].fill(T::zero());
        for (image, features) in image.rows().into_iter().zip(features.rows()) {
            let features = read(features, &mut features_copy);
            self.patches(read(image, &mut image_copy), |lowering, tile, group, channels, patches| {
                let (starts, rows) = (&lowering.firsts[..], channels.len() * inner);
                let windows = ImplicitWindows { starts, rows, pitch: lowering.pitch, columns: tile.columns };
                let turned = &mut turned[(group * inputs + channels.start) * taps * outputs..];
                let dw = ArrayViewMut2::from_shape((channels.len() * taps, outputs), turned);
                let dw = dw.expect("of a group").reversed_axes();
                let f = map.features(features, group, tile);
                windows.add_product_transposed(f, patches, dw); //                          dW += F Pᵀ
            });
        }
        self.add_turned(&turned, kernel);
        self.turned = turned;
        self.copies = [image_copy, features_copy];
    }

    /// Adds a turned kernel, `[groups, channel, other places, first places, features]`, to one in the usual order,
    /// `[groups, features, channel, first places, other places]`.
    fn add_turned(&self, turned: &[T], kernel: &mut [T]) {
        let ([inputs, outputs], [.., taps], first) =
            (self.map.channels, self.map.sizes(), self.map.geometry.kernel[0]);
        let (size, inner) = (inputs * taps * outputs, taps / first);
        for (kernel, turned) in kernel.chunks_exact_mut(size).zip(turned.chunks_exact(size)) {
            // Some features at a time, so that what is written stays in the cache.
            for some in (0..outputs).step_by(16).map(|start| start..outputs.min(start + 16)) {
                for column in 0..inputs * taps {
                    let (channel, place) = (column / taps, column % taps);
                    let row = (channel * inner + place % inner) * first + place / inner;
                    let turned = &turned[row * outputs..][some.clone()];
                    let kernel =
                        kernel[some.start * inputs * taps + column..].iter_mut().step_by(inputs * taps);
                    kernel.zip(turned).for_each(|(kernel, &turned)| *kernel += turned);
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
        let (map, [inputs, _], [size, _, taps]) = (self.map, self.map.channels, self.map.sizes());
        let inner = taps / map.geometry.kernel[0];
        let [mut image_copy, mut features_copy] = std::mem::take(&mut self.copies);
        self.turn(kernel);
        for (image, features) in image.rows_mut().into_iter().zip(features.rows()) {
            let features = read(features, &mut features_copy);
            edit(image, &mut image_copy, |image| {
                start(image, size, bias);
                for tile in self.tiles() {
                    self.prepare(&tile);
                    let Self { lowering, gradient, turned, .. } = self;
                    for (groups, channels) in map.parts(self.part) {
                        let of_a_group = channels.len() * lowering.channel;
                        let image = &mut image[(groups.start * inputs + channels.start) * size..];
                        let patches = if self.plain {
                            &mut *image
                        } else {
                            gradient.reserve(groups.len() * of_a_group);
                            gradient[..groups.len() * of_a_group].fill(T::zero());
                            &mut **gradient
                        };
                        for (index, group) in groups.clone().enumerate() {
                            let f = map.features(features, group, &tile);
                            for (place, start) in lowering.firsts.iter().enumerate() {
                                let w = map.turned(turned, group, place, &channels);
                                let shape =
                                    (channels.len() * inner, tile.columns).strides((lowering.pitch, 1));
                                let p = &mut patches[index * of_a_group + start..];
                                let p = ArrayViewMut2::from_shape(shape, p).expect("of a group");
                                gemm(T::one(), w.reversed_axes(), f, T::one(), p); //               P += Wᵀ F
                            }
                        }
                        if !self.plain {
                            lowering.col2im(groups.len() * channels.len(), gradient, image);
                        }
                    }
                }
            });
        }
        self.copies = [image_copy, features_copy];
    }

    /// Brings the kernel into the order `[groups, features, first places, channel, other places]`, in which all channels
    /// are together that go with one place along the first axis.
    fn turn(&mut self, kernel: &[T]) {
        let ([inputs, outputs], [.., taps], first) =
            (self.map.channels, self.map.sizes(), self.map.geometry.kernel[0]);
        let inner = taps / first;
        if self.turn.is_empty() {
            let (rows, columns) = (first, inner);
            let rectangle =
                |channel| Rectangle { image: channel * taps, patches: channel * inner, rows, columns };
            self.turn.extend((0..inputs).map(rectangle));
        }
        self.turned.reserve(kernel.len());
        let rectangles = Rectangles {
            rectangles: &self.turn,
            repeat: self.map.groups * outputs,
            image_strides: [inputs * taps, inner, 1],
            patch_strides: [inputs * taps, inputs * inner],
        };
        im2col(rectangles, kernel, &mut self.turned);
    }
}
