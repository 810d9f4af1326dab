//! The kernels that are written by hand for one type of number.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::simd::formula::RootFormula;
use crate::simd::interleaved_operands::{Interleave, Product, Separate};
use crate::simd::operands::{AdamStep, Choice, ImplicitWindows, Init, Rectangles, Transpose, Used};

/// Hand-written kernels for one type of number. Implemented for `f32` and `f64`; not for users to implement.
///
/// Each function returns `true` if it has done the work, and `false` if it has done nothing: where there is no kernel for this
/// type, this CPU, or these sizes and layouts. Then the caller does it in another way. The defaults have no kernels.
#[doc(hidden)]
pub trait Kernels: Sized {
    /// `C = alpha Σ A B + beta C` over up to [`MAX_PRODUCTS`](crate::matmul::MAX_PRODUCTS) products, for shapes that fit. What is not
    /// used of A is zero.
    #[must_use]
    fn product(
        _: Choice,
        _alpha: Self,
        _: &[(ArrayView2<'_, Self>, ArrayView2<'_, Self>)],
        _: Used<'_>,
        _beta: Self,
        _c: &mut ArrayViewMut2<'_, Self>,
    ) -> bool {
        false
    }

    /// Whether there are kernels for the products with [`ImplicitWindows`].
    fn has_implicit_products(_: Choice) -> bool {
        false
    }

    /// Whether those kernels mask what does not fill a vector.
    fn has_masked_products(_: Choice) -> bool {
        false
    }

    /// [`ImplicitWindows::product`], for shapes that fit.
    #[must_use]
    fn implicit_product(
        _: Choice,
        _: ImplicitWindows<'_>,
        _a: &ArrayView2<'_, Self>,
        _values: &[Self],
        _: Init<'_, Self>,
        _c: &mut ArrayViewMut2<'_, Self>,
    ) -> bool {
        false
    }

    /// [`ImplicitWindows::add_product_transposed`], for shapes that fit.
    #[must_use]
    fn add_implicit_product_transposed(
        _: Choice,
        _: ImplicitWindows<'_>,
        _a: &ArrayView2<'_, Self>,
        _values: &[Self],
        _c: &mut ArrayViewMut2<'_, Self>,
    ) -> bool {
        false
    }

    /// [`transpose`](crate::vector::transpose()), always done.
    fn transpose(_: Transpose<'_, Self>);

    /// [`interleave`](crate::interleaved::interleave()), always done.
    fn interleave(_: Interleave<'_, Self>);

    /// [`separate`](crate::interleaved::separate()), always done.
    fn separate(_: Separate<'_, Self>);

    /// [`product`](crate::interleaved::product()), always done.
    fn interleaved_product(_: Product<'_, Self>);

    /// [`from_u8`](crate::vector::from_u8), for slices of one length, always done.
    fn from_u8(_bytes: &[u8], _values: &mut [Self], _scale: Self);

    /// [`im2col`](crate::conv::im2col), for slices that are long enough.
    #[must_use]
    fn im2col(_: Rectangles<'_>, _image: &[Self], _patches: &mut [Self]) -> bool {
        false
    }

    /// [`col2im`](crate::conv::col2im), for slices that are long enough.
    #[must_use]
    fn col2im(_: Rectangles<'_>, _patches: &[Self], _image: &mut [Self]) -> bool {
        false
    }

    /// [`adam_kernel`](crate::vector::adam_kernel), for slices of one length.
    #[must_use]
    fn adam(_: AdamStep<Self>, _params: &mut [Self], _grads: &[Self], _means: [&mut [Self]; 2]) -> bool {
        false
    }

    /// [`each_root`](crate::vector::each_root()), for slices of one length.
    #[must_use]
    fn each_root<F: RootFormula<K, N, M>, const K: usize, const N: usize, const M: usize>(
        _numbers: [Self; K],
        _inputs: &[&[Self]; N],
        _outputs: &mut [&mut [Self]; M],
    ) -> bool {
        false
    }
}
