//! A product as one call: of a kernel of our own, of BLAS, or of ndarray.

use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

#[cfg(feature = "blas")]
use super::cblas::Call;
use super::portable::{choice, is_portable, one_by_one};
use crate::real::Real;

/// `C = alpha A B + beta C`, for shapes that fit and are not empty.
pub(super) fn multiply<T: Real>(
    own_kernels: bool,
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    if own_kernels {
        if T::product(choice(), alpha, &[(a, b)], beta, &mut c) {
            return;
        }
        if is_portable() {
            return one_by_one(alpha, a, b, beta, c);
        }
    }
    #[cfg(feature = "blas")]
    if let Some(call) = Call::for_operands(&a, &b, &c) {
        if call.c_is_transposed() {
            // Cᵀ = Bᵀ Aᵀ is row-major.
            let (a, b, c) = (b.reversed_axes(), a.reversed_axes(), c.reversed_axes());
            return multiply(own_kernels, alpha, a, b, beta, c);
        }
        return call.gemm(alpha, a, b, beta, c);
    }
    general_mat_mul(alpha, &a, &b, beta, &mut c);
}
