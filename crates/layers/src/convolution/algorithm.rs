//! The linear map of every convolution and its two derivatives, by one of three algorithms.
//!
//! With the kernel `W` and the image `I`, for every group of channels,
//!
//! > `F[m, o] = Σ W[m, c, k] I[c, o·stride + k·dilation - before]` over `c` and `k`, where `I` is 0 outside.
//!
//! Its adjoint, from `F` to `I`, is the gradient of the image, and the forward pass of a transposed convolution. All three are
//! products with the matrix of patches `P`, which has a row for each `(c, k)` and a column for each `o` ("im2col"): `F = W P`,
//! `dW = dF Pᵀ` and `dP = Wᵀ dF`. They have the names that oneDNN and cuDNN use.
//!
//! The matrix of patches is made by [`ImplicitIm2col`] or by [`Im2col`], for a part of the channels and positions that stays in
//! the second cache. Where each group has one channel, [`ByChannel`] needs none. With several outputs it takes twice as long as the product
//! with implicit windows where that has masked kernels (LeNet-5's first convolution on a Zen 5).

use chainrule_tensor::Real;
use chainrule_tensor::conv::ImplicitWindows;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::by_channel::ByChannel;
use super::conv_shape::ConvShape;
use super::im2col::Im2col;
use super::implicit_im2col::ImplicitIm2col;

/// A product with masked kernels pays from this number of outputs of a group with one channel on.
const MIN_OUTPUTS: usize = 4;

/// The algorithms for one shape, with their buffers.
#[derive(Clone, Debug)]
pub(super) struct Algorithm<T: Real, const N: usize> {
    shape: ConvShape<N>,
    /// Whether the shape suits [`ImplicitIm2col`], where there are kernels for it.
    overlaps: bool,
    by_channel: Option<ByChannel<T, N>>,
    implicit: Option<ImplicitIm2col<T, N>>,
    copied: Option<Im2col<T, N>>,
}

/// The one that is used.
enum Chosen<'a, T: Real, const N: usize> {
    ByChannel(&'a mut ByChannel<T, N>),
    ImplicitIm2col(&'a mut ImplicitIm2col<T, N>),
    Im2col(&'a mut Im2col<T, N>),
}

impl<T: Real, const N: usize> Algorithm<T, N> {
    pub(super) fn new(shape: ConvShape<N>) -> Self {
        let ([_, positions, kernel_size], [inputs, outputs]) = (shape.sizes(), shape.channels);
        // Few positions leave lanes of a register empty, and each sample goes through all of a group's kernel.
        let lanes = positions.div_ceil(16).saturating_mul(16);
        let full = positions >= lanes - lanes / 4;
        let weights = inputs.saturating_mul(outputs).saturating_mul(kernel_size);
        let small = weights.saturating_mul(size_of::<T>()) <= 1 << 20;
        let overlaps = full && small || positions > 128;
        Self { shape, overlaps, by_channel: None, implicit: None, copied: None }
    }

    /// Chosen for each pass: portable products have kernels where others may have none.
    fn chosen(&mut self) -> Chosen<'_, T, N> {
        let Self { shape, overlaps, by_channel, implicit, copied } = self;
        let multiplies = *overlaps && shape.channels[1] >= MIN_OUTPUTS && ImplicitWindows::is_masked::<T>();
        if !multiplies && ByChannel::<T, N>::suits(shape) {
            Chosen::ByChannel(by_channel.get_or_insert_with(|| ByChannel::new(*shape)))
        } else if *overlaps && ImplicitWindows::is_fast::<T>() {
            Chosen::ImplicitIm2col(implicit.get_or_insert_with(|| ImplicitIm2col::new(*shape)))
        } else {
            Chosen::Im2col(copied.get_or_insert_with(|| Im2col::new(*shape)))
        }
    }

    /// `F = W P + b`: overwrites the features.
    pub(super) fn forward(
        &mut self,
        image: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        features: ArrayViewMut2<'_, T>,
    ) {
        match self.chosen() {
            Chosen::ByChannel(algorithm) => algorithm.forward(image, kernel, bias, features),
            Chosen::ImplicitIm2col(algorithm) => algorithm.forward(image, kernel, bias, features),
            Chosen::Im2col(algorithm) => algorithm.forward(image, kernel, bias, features),
        }
    }

    /// `dW += F Pᵀ`, where `F` is the gradient of the features, or `P` that of the image.
    pub(super) fn backward_weights(
        &mut self,
        image: ArrayView2<'_, T>,
        features: ArrayView2<'_, T>,
        kernel: &mut [T],
    ) {
        match self.chosen() {
            Chosen::ByChannel(algorithm) => algorithm.backward_weights(image, features, kernel),
            Chosen::ImplicitIm2col(algorithm) => algorithm.backward_weights(image, features, kernel),
            Chosen::Im2col(algorithm) => algorithm.backward_weights(image, features, kernel),
        }
    }

    /// The adjoint of [`forward`](Self::forward), `P = Wᵀ F` added up where patches overlap, and a bias: overwrites the image.
    pub(super) fn backward_data(
        &mut self,
        features: ArrayView2<'_, T>,
        kernel: &[T],
        bias: Option<&[T]>,
        image: ArrayViewMut2<'_, T>,
    ) {
        match self.chosen() {
            Chosen::ByChannel(algorithm) => algorithm.backward_data(features, kernel, bias, image),
            Chosen::ImplicitIm2col(algorithm) => algorithm.backward_data(features, kernel, bias, image),
            Chosen::Im2col(algorithm) => algorithm.backward_data(features, kernel, bias, image),
        }
    }
}
