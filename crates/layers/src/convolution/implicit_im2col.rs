//! A convolution as a product with a matrix of patches whose rows share memory: for CPUs with kernels for it, and features of many
//! positions.

use std::ops::Range;

use chainrule_tensor::conv::{ImplicitWindows, Init, Rectangle, Rectangles, im2col};
use chainrule_tensor::vector::{CHAIN, LongSum};
use chainrule_tensor::{Buffer, Real, gemm};
use ndarray::{ArrayView2, ArrayViewMut2, ShapeBuilder, s};

use super::channels::{contiguous_row, edit_row, fill_with_bias};
use super::conv_shape::{ConvShape, PART_BYTES, PART_POSITIONS};
use super::patches::{PatchLayout, Tile, tiles};

/// The image is copied once for each position of the kernel along all axes but the first. Along the first, a row of the matrix of
/// patches is the same memory as the one for the position before, read from one row of features later on.
#[derive(Clone, Debug)]
pub(super) struct ImplicitIm2col<T: Real, const N: usize> {
    shape: ConvShape<N>,
    /// Whether the image itself is its patches: without padding, and with a kernel along the first axis only.
    plain: bool,
    /// How many groups, and channels of each, are copied at a time.
    part: [usize; 2],
    layout: PatchLayout<N>,
    patches: Buffer<T>,
    /// The gradient of the patches.
    gradient: Buffer<T>,
    /// The kernel or its gradient, with permuted axes.
    permuted: Buffer<T>,
    permutation: Vec<Rectangle>,
    copies: [Buffer<T>; 2],
    /// The gradient of the permuted kernel, over many samples.
    long: LongSum<T>,
}

impl<T: Real, const N: usize> ImplicitIm2col<T, N> {
    pub(super) fn new(shape: ConvShape<N>) -> Self {
        let geometry = &shape.geometry;
        let plain = geometry.kernel[1..].iter().all(|&kernel| kernel == 1)
            && geometry.stride == [1; N]
            && geometry.before == [0; N]
            && geometry.image[1..] == geometry.features[1..]
            && geometry.image[0] == geometry.features[0] + (geometry.kernel[0] - 1) * geometry.dilation[0];
        let mut part = [shape.groups, shape.channels[0]];
        if let Some(tile) = tiles(geometry.features, PART_POSITIONS).next()
            && !plain
        {
            let channel = PatchLayout::overlapping_size(geometry, &tile);
            let channels = (PART_BYTES / size_of::<T>() / channel).max(1);
            part = [(channels / shape.channels[0]).clamp(1, part[0]), channels.min(part[1])];
        }
        Self {
            shape,
            plain,
            part,
            layout: PatchLayout::default(),
            patches: Buffer::default(),
            gradient: Buffer::default(),
            permuted: Buffer::default(),
            permutation: Vec::new(),
            copies: [Buffer::default(), Buffer::default()],
            long: LongSum::default(),
        }
    }

    fn tiles(&self) -> impl Iterator<Item = Tile<N>> + use<T, N> {
        tiles(self.shape.geometry.features, if self.plain { usize::MAX } else { PART_POSITIONS })
    }

    /// Prepares for the patches of a tile.
    fn prepare(&mut self, tile: &Tile<N>) {
        let geometry = &self.shape.geometry;
        if self.plain {
            self.layout.image_as_patches(geometry);
        } else if self.layout.overlapping_rows(geometry, tile) {
            let size = self.part[0] * self.part[1] * self.layout.channel;
            self.patches.reserve(size);
            if self.layout.clipped {
                self.patches[..size].fill(T::zero());
            }
        }
    }

    /// Makes the patches of an image, part by part, and passes up to `block` columns of them to `f` at a time, with the group, the
    /// columns and the channels: those of all groups, one after the other.
    fn for_each_group(
        &mut self,
        image: &[T],
        block: usize,
        mut f: impl FnMut(&PatchLayout<N>, &Tile<N>, [Range<usize>; 2], usize, &[T]),
    ) {
        let [inputs, _] = self.shape.channels;
        let [size, ..] = self.shape.sizes();
        for tile in self.tiles() {
            self.prepare(&tile);
            for (groups, channels) in self.shape.parts(self.part) {
                let image = &image[(groups.start * inputs + channels.start) * size..];
                let patches = if self.plain {
                    image
                } else {
                    self.layout.im2col(groups.len() * channels.len(), image, &mut self.patches);
                    &self.patches
                };
                let of_a_group = channels.len() * self.layout.channel;
                for first in (0..tile.columns).step_by(block) {
                    let columns = first..tile.columns.min(first.saturating_add(block));
                    for (index, group) in groups.clone().enumerate() {
                        let ranges = [columns.clone(), channels.clone()];
                        f(&self.layout, &tile, ranges, group, &patches[index * of_a_group + first..]);
                    }
                }
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
        let [_, outputs] = shape.channels;
        let [mut image_copy, mut features_copy] = std::mem::take(&mut self.copies);
        for (image, features) in image.rows().into_iter().zip(features.rows_mut()) {
            let image = contiguous_row(image, &mut image_copy);
            edit_row(features, &mut features_copy, |features| {
                self.for_each_group(image, usize::MAX, |layout, tile, [_, channels], group, patches| {
                    let windows = ImplicitWindows {
                        starts: &layout.starts,
                        rows: channels.len(),
                        pitch: layout.channel,
                        columns: tile.columns,
                    };
                    let w = shape.kernel(kernel, group, &channels);
                    let f = shape.features_mut(features, group, tile);
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

    pub(super) fn backward_weights(
        &mut self,
        image: ArrayView2<'_, T>,
        features: ArrayView2<'_, T>,
        kernel: &mut [T],
    ) {
        let shape = self.shape;
        let [inputs, outputs] = shape.channels;
        let [.., kernel_size] = shape.sizes();
        let inner = kernel_size / shape.geometry.kernel[0];
        let [mut image_copy, mut features_copy] = std::mem::take(&mut self.copies);
        // With a row for each row of patches, and contiguous channels of the features.
        let mut permuted = std::mem::take(&mut self.permuted);
        permuted.reserve(kernel.len());
        permuted[..kernel.len()].fill(T::zero());
        let mut long = std::mem::take(&mut self.long);
        // An image that is its own patches is one tile, whose sum would be a long chain.
        let (block, blocks) = match self.plain {
            true => (PART_POSITIONS, shape.sizes()[1].div_ceil(PART_POSITIONS)),
            false => (usize::MAX, 1),
        };
        let parts = image.nrows() * self.tiles().count() * blocks;
        if parts > CHAIN {
            long.start(kernel.len());
        }
        for (image, features) in image.rows().into_iter().zip(features.rows()) {
            let features = contiguous_row(features, &mut features_copy);
            let image = contiguous_row(image, &mut image_copy);
            self.for_each_group(image, block, |layout, tile, [columns, channels], group, patches| {
                let windows = ImplicitWindows {
                    starts: &layout.firsts,
                    rows: channels.len() * inner,
                    pitch: layout.pitch,
                    columns: columns.len(),
                };
                let sum = match parts {
                    ..=CHAIN => &mut permuted[..],
                    _ if group == 0 && channels.start == 0 => long.part(),
                    _ => long.same_part(),
                };
                let permuted = &mut sum[(group * inputs + channels.start) * kernel_size * outputs..];
                let dw = ArrayViewMut2::from_shape((channels.len() * kernel_size, outputs), permuted);
                let dw = dw.expect("of a group").reversed_axes();
                let f = shape.features(features, group, tile);
                let f = f.slice(s![.., columns]);
                windows.add_product_transposed(f, patches, dw); //                          dW += F Pᵀ
            });
        }
        if parts > CHAIN {
            long.add_to(&mut permuted[..kernel.len()]);
        }
        self.long = long;
        self.add_permuted(&permuted, kernel);
        self.permuted = permuted;
        self.copies = [image_copy, features_copy];
    }

    /// Adds a permuted kernel, `[groups, channels, other axes, first axis, features]`, to one in the usual order,
    /// `[groups, features, channels, first axis, other axes]`.
    fn add_permuted(&self, permuted: &[T], kernel: &mut [T]) {
        let [inputs, outputs] = self.shape.channels;
        let [.., kernel_size] = self.shape.sizes();
        let first = self.shape.geometry.kernel[0];
        let inner = kernel_size / first;
        let size = inputs * kernel_size * outputs;
        for (kernel, permuted) in kernel.chunks_exact_mut(size).zip(permuted.chunks_exact(size)) {
            // Some features at a time, so that what is written stays in the cache.
            for some in (0..outputs).step_by(16).map(|start| start..outputs.min(start + 16)) {
                for column in 0..inputs * kernel_size {
                    let (channel, position) = (column / kernel_size, column % kernel_size);
                    let row = (channel * inner + position % inner) * first + position / inner;
                    let permuted = &permuted[row * outputs..][some.clone()];
                    let kernel = &mut kernel[some.start * inputs * kernel_size + column..];
                    let kernel = kernel.iter_mut().step_by(inputs * kernel_size);
                    kernel.zip(permuted).for_each(|(kernel, &permuted)| *kernel += permuted);
                }
            }
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
        let [inputs, _] = shape.channels;
        let [size, _, kernel_size] = shape.sizes();
        let inner = kernel_size / shape.geometry.kernel[0];
        let [mut image_copy, mut features_copy] = std::mem::take(&mut self.copies);
        self.permute(kernel);
        for (image, features) in image.rows_mut().into_iter().zip(features.rows()) {
            let features = contiguous_row(features, &mut features_copy);
            edit_row(image, &mut image_copy, |image| {
                fill_with_bias(image, size, bias);
                for tile in self.tiles() {
                    self.prepare(&tile);
                    let Self { layout, gradient, permuted, .. } = self;
                    for (groups, channels) in shape.parts(self.part) {
                        let of_a_group = channels.len() * layout.channel;
                        let image = &mut image[(groups.start * inputs + channels.start) * size..];
                        let patches = if self.plain {
                            &mut *image
                        } else {
                            gradient.reserve(groups.len() * of_a_group);
                            gradient[..groups.len() * of_a_group].fill(T::zero());
                            &mut **gradient
                        };
                        for (index, group) in groups.clone().enumerate() {
                            let f = shape.features(features, group, &tile);
                            for (position, start) in layout.firsts.iter().enumerate() {
                                let w = shape.permuted_kernel(permuted, group, position, &channels);
                                let p = &mut patches[index * of_a_group + start..];
                                let rows = channels.len() * inner;
                                let strided = (rows, tile.columns).strides((layout.pitch, 1));
                                let p = ArrayViewMut2::from_shape(strided, p).expect("of a group");
                                gemm(T::one(), w.reversed_axes(), f, T::one(), p); //               P += Wᵀ F
                            }
                        }
                        if !self.plain {
                            layout.col2im(groups.len() * channels.len(), gradient, image);
                        }
                    }
                }
            });
        }
        self.copies = [image_copy, features_copy];
    }

    /// Permutes the kernel to `[groups, features, first axis, channels, other axes]`, in which all channels of one position along
    /// the first axis are contiguous.
    fn permute(&mut self, kernel: &[T]) {
        let [inputs, outputs] = self.shape.channels;
        let [.., kernel_size] = self.shape.sizes();
        let first = self.shape.geometry.kernel[0];
        let inner = kernel_size / first;
        if self.permutation.is_empty() {
            self.permutation.extend((0..inputs).map(|channel| Rectangle {
                image: channel * kernel_size,
                patches: channel * inner,
                rows: first,
                columns: inner,
            }));
        }
        self.permuted.reserve(kernel.len());
        let rectangles = Rectangles {
            rectangles: &self.permutation,
            repeat: self.shape.groups * outputs,
            image_strides: [inputs * kernel_size, inner, 1],
            patch_strides: [inputs * kernel_size, inputs * inner],
        };
        im2col(rectangles, kernel, &mut self.permuted);
    }
}
