//! A product as one call: of a kernel of our own, of BLAS, or of ndarray.

use ndarray::linalg::general_mat_mul;
#[cfg(feature = "blas")]
use ndarray::s;
use ndarray::{ArrayView2, ArrayViewMut2};

#[cfg(feature = "blas")]
use super::cblas::Call;
#[cfg(feature = "blas")]
use super::chain::CHAIN;
use super::portable::{choice, is_portable, one_by_one};
use crate::real::Real;
#[cfg(feature = "blas")]
use crate::simd::blocking::even_parts;
#[cfg(feature = "blas")]
use crate::simd::level::{Level, best_level};
use crate::simd::operands::Used;

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
        if T::product(choice(), alpha, &[(a, b)], Used::All, beta, &mut c) {
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
        if own_kernels && is_one_chain::<T>([c.nrows(), c.ncols(), a.ncols()]) {
            for (first, terms) in even_parts(a.ncols(), CHAIN) {
                let terms = first..first + terms;
                let (a, b) = (a.slice(s![.., terms.clone()]), b.slice(s![terms, ..]));
                multiply(false, alpha, a, b, if first == 0 { beta } else { T::one() }, c.view_mut());
            }
            return;
        }
        return call.gemm(alpha, a, b, beta, c);
    }
    general_mat_mul(alpha, &a, &b, beta, &mut c);
}

/// Whether BLAS would add all terms of a value in one chain, and they are so many that the result would be off by more than 4e-6:
/// OpenBLAS has kernels for AVX-512 that do so up to 10⁶ multiplications, in single precision.
#[cfg(feature = "blas")]
fn is_one_chain<T>([rows, columns, depth]: [usize; 3]) -> bool {
    let small = rows.saturating_mul(columns).saturating_mul(depth) <= 1_000_000;
    small && depth > CHAIN && size_of::<T>() == size_of::<f32>() && best_level() == Level::Avx512
}
