//! A convolution of each channel alone, without a matrix of patches.

use chainrule_tensor::vector::{CHAIN, LongSum};
use chainrule_tensor::{Buffer, Real, each, sums};
use ndarray::{ArrayView2, ArrayViewMut2};

use super::channels::{contiguous_row, edit_row};
use super::conv_shape::ConvShape;

/// The algorithm for groups of one channel with a stride of 1, in one or two axes: a product would have as many rows as a group has
/// outputs, mostly one.
///
/// An image with its padding is one line of numbers, and the features are another, with gaps where the window reaches beyond the end
/// of a row. Then a position of the kernel is an offset, the same for all features, and all three passes are long loops over
/// numbers next to each other: `F[i] += W[k] I[i + offset k]`.
#[derive(Clone, Debug)]
pub(super) struct ByChannel<T: Real, const N: usize> {
    shape: ConvShape<N>,
    /// The sizes in rows and columns.
    image: [usize; 2],
    features: [usize; 2],
    before: [usize; 2],
    padded: [usize; 2],
    /// For each position of the kernel, how far it is from the first in the line of the image.
    offsets: Vec<usize>,
    padded_image: Buffer<T>,
    /// The line of features, between as many zeros as the largest offset.
    line: Buffer<T>,
    copy: Buffer<T>,
    image_copy: Buffer<T>,
    /// The gradient of the kernel, over many samples.
    long: LongSum<T>,
}

/// As many numbers of a line stay in the first cache while the positions of the kernel are gone through.
const PART: usize = 2048;

impl<T: Real, const N: usize> ByChannel<T, N> {
    /// Whether the algorithm suits a shape.
    pub(super) fn suits(shape: &ConvShape<N>) -> bool {
        let ConvShape { geometry, channels: [inputs, _], .. } = shape;
        let [features, kernel, dilation] =
            [geometry.features, geometry.kernel, geometry.dilation].map(|axes| axes[N - 1]);
        // The gaps are computed too.
        let gaps = (kernel - 1).saturating_mul(dilation);
        *inputs == 1 && N <= 2 && geometry.stride == [1; N] && gaps <= features
    }

    /// The algorithm for a shape that it suits.
    pub(super) fn new(shape: ConvShape<N>) -> Self {
        let geometry = &shape.geometry;
        let two =
            |axes: [usize; N], missing: usize| if N == 2 { [axes[0], axes[1]] } else { [missing, axes[0]] };
        let (image, features) = (two(geometry.image, 1), two(geometry.features, 1));
        let (kernel, dilation) = (two(geometry.kernel, 1), two(geometry.dilation, 1));
        let before = two(geometry.before, 0);
        let padded = [0, 1].map(|axis| features[axis] + (kernel[axis] - 1) * dilation[axis]);
        let offset = |position: usize| {
            position / kernel[1] * dilation[0] * padded[1] + position % kernel[1] * dilation[1]
        };
        let offsets = (0..kernel[0] * kernel[1]).map(offset).collect();
        let (padded_image, line, copy) = (Buffer::default(), Buffer::default(), Buffer::default());
        let (image_copy, long) = (Buffer::default(), LongSum::default());
        Self { shape, image, features, before, padded, offsets, padded_image, line, copy, image_copy, long }
    }

    /// The length of the line of features.
    fn line_len(&self) -> usize {
        (self.features[0] - 1) * self.padded[1] + self.features[1]
    }

    /// The largest offset.
    fn reach(&self) -> usize {
        self.offsets.last().copied().unwrap_or(0)
    }

    /// The rows and columns of the image that are within the padded one.
    fn inside(&self) -> [usize; 2] {
        [0, 1].map(|axis| self.image[axis].min(self.padded[axis].saturating_sub(self.before[axis])))
    }

    /// Where a row of the image begins in the padded one.
    fn row_start(&self, row: usize) -> usize {
        (self.before[0] + row) * self.padded[1] + self.before[1]
    }

    /// Makes the buffers large enough, with zeros around what the passes write.
    fn prepare(&mut self) {
        let image = self.padded.iter().product();
        self.padded_image.reserve(image);
        self.padded_image[..image].fill(T::zero());
        let line = self.line_len() + 2 * self.reach();
        self.line.reserve(line);
        self.line[..line].fill(T::zero());
    }

    /// Copies a channel of the image into the padded one.
    fn pad(&mut self, channel: &[T]) {
        let [rows, columns] = self.inside();
        for (row, from) in channel.chunks_exact(self.image[1]).take(rows).enumerate() {
            let start = self.row_start(row);
            self.padded_image[start..start + columns].copy_from_slice(&from[..columns]);
        }
    }

    /// Copies a channel of the features into the line, where the gaps are zeros.
    fn spread(&mut self, channel: &[T]) {
        let (reach, columns) = (self.reach(), self.features[1]);
        for (row, from) in channel.chunks_exact(columns).enumerate() {
            self.line[reach + row * self.padded[1]..][..columns].copy_from_slice(from);
        }
    }

    pub(super) fn forward(
        &mut self,
        image: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        mut features: ArrayViewMut2<'_, T>,
    ) {
        self.prepare();
        let [size, positions, kernel_size] = self.shape.sizes();
        let outputs = self.shape.channels[1];
        let (columns, width) = (self.features[1], self.padded[1]);
        for (image, features) in image.rows().into_iter().zip(features.rows_mut()) {
            let mut image_copy = std::mem::take(&mut self.image_copy);
            let mut copy = std::mem::take(&mut self.copy);
            let image = contiguous_row(image, &mut image_copy);
            edit_row(features, &mut copy, |features| {
                for (output, to) in features.chunks_exact_mut(positions).enumerate() {
                    if output.is_multiple_of(outputs) {
                        self.pad(&image[output / outputs * size..][..size]);
                    }
                    let len = self.line_len();
                    let weights = &kernel[output * kernel_size..][..kernel_size];
                    let line = &mut self.line[..len];
                    line.fill(bias.map_or(T::zero(), |bias| bias[output]));
                    add_products(line, &self.padded_image, weights, |k| self.offsets[k]); //  F += W P
                    for (row, to) in to.chunks_exact_mut(columns).enumerate() {
                        to.copy_from_slice(&self.line[row * width..][..columns]);
                    }
                }
            });
            (self.image_copy, self.copy) = (image_copy, copy);
        }
    }

    pub(super) fn backward_weights(
        &mut self,
        image: ArrayView2<'_, T>,
        features: ArrayView2<'_, T>,
        kernel: &mut [T],
    ) {
        self.prepare();
        let mut long = std::mem::take(&mut self.long);
        let is_long = image.nrows() > CHAIN;
        if is_long {
            long.start(kernel.len());
        }
        for (image, features) in image.rows().into_iter().zip(features.rows()) {
            let sum = if is_long { long.part() } else { &mut *kernel };
            let mut image_copy = std::mem::take(&mut self.image_copy);
            let mut copy = std::mem::take(&mut self.copy);
            self.add_weights(
                contiguous_row(image, &mut image_copy),
                contiguous_row(features, &mut copy),
                sum,
            );
            (self.image_copy, self.copy) = (image_copy, copy);
        }
        if is_long {
            long.add_to(kernel);
        }
        self.long = long;
    }

    /// Adds the gradient of the kernel from one sample.
    fn add_weights(&mut self, image: &[T], features: &[T], kernel: &mut [T]) {
        let [size, positions, kernel_size] = self.shape.sizes();
        let outputs = self.shape.channels[1];
        let channels = features.chunks_exact(positions).zip(kernel.chunks_exact_mut(kernel_size));
        for (output, (features, kernel)) in channels.enumerate() {
            if output.is_multiple_of(outputs) {
                self.pad(&image[output / outputs * size..][..size]);
            }
            self.spread(features);
            let (reach, len) = (self.reach(), self.line_len());
            let line = &self.line[reach..reach + len];
            let image = |k: usize| &self.padded_image[self.offsets[k]..][..len];
            let mut k = 0;
            while k < kernel_size {
                if k + 3 <= kernel_size {
                    let (a, b, c) = (image(k), image(k + 1), image(k + 2));
                    let sums = sums!(|f: line, a, b, c| [f * a, f * b, f * c]); //           dW += F Pᵀ
                    kernel[k..k + 3].iter_mut().zip(sums).for_each(|(w, sum)| *w += sum);
                    k += 3;
                } else {
                    let a = image(k);
                    let [sum] = sums!(|f: line, a| [f * a]);
                    kernel[k] += sum;
                    k += 1;
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
        self.prepare();
        let [size, positions, kernel_size] = self.shape.sizes();
        let outputs = self.shape.channels[1];
        let reach = self.reach();
        let padded = self.padded.iter().product();
        let [rows, columns] = self.inside();
        for (image, features) in image.rows_mut().into_iter().zip(features.rows()) {
            let mut image_copy = std::mem::take(&mut self.image_copy);
            let mut copy = std::mem::take(&mut self.copy);
            let features = contiguous_row(features, &mut copy);
            edit_row(image, &mut image_copy, |image| {
                for (channel, to) in image.chunks_exact_mut(size).enumerate() {
                    let bias = bias.map_or(T::zero(), |bias| bias[channel]);
                    self.padded_image[..padded].fill(bias);
                    for output in channel * outputs..(channel + 1) * outputs {
                        self.spread(&features[output * positions..][..positions]);
                        let weights = &kernel[output * kernel_size..][..kernel_size];
                        let image = &mut self.padded_image[..padded];
                        add_products(image, &self.line, weights, |k| reach - self.offsets[k]); //  P = Wᵀ F
                    }
                    to.fill(bias);
                    for (row, to) in to.chunks_exact_mut(self.image[1]).take(rows).enumerate() {
                        let start = self.row_start(row);
                        to[..columns].copy_from_slice(&self.padded_image[start..start + columns]);
                    }
                }
            });
            (self.image_copy, self.copy) = (image_copy, copy);
        }
    }
}

/// `y[i] += Σ w[k] x[i + offset(k)]`, over all k in their order.
fn add_products<T: Real>(y: &mut [T], x: &[T], w: &[T], offset: impl Fn(usize) -> usize) {
    let mut start = 0;
    for y in y.chunks_mut(PART) {
        let len = y.len();
        let x = |k: usize| &x[start + offset(k)..][..len];
        let mut k = 0;
        while k < w.len() {
            if let &[u, v, w, ..] = &w[k..] {
                let (a, b, c) = (x(k), x(k + 1), x(k + 2));
                each!(y = |a, b, c| y + u * a + v * b + w * c);
                k += 3;
            } else {
                let (a, w) = (x(k), w[k]);
                each!(y = |a| y + w * a);
                k += 1;
            }
        }
        start += len;
    }
}
