//! The matrix product, through the C interface of BLAS.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::vector::AdamStep;
use crate::{Blocks, Onto, Real, Taps};

/// `C = alpha A B + beta C`, for `A` of shape `[m, k]`, `B` of `[k, n]` and `C` of `[m, n]`.
///
/// A transposed view (`a.t()`) or a slice of columns costs nothing: its strides are handed to BLAS. With
/// `beta` 0, what `C` held does not matter (not even NaN). Nothing is allocated, except without any BLAS
/// feature, where ndarray's pure-Rust product packs its operands.
///
/// ```
/// use ndarray::array;
/// let (a, b) = (array![[1.0f32, 2.0], [3.0, 4.0]], array![[1.0, 0.0], [1.0, 1.0]]);
/// let mut c = array![[100.0, 0.0], [0.0, 0.0]];
/// chainrule_tensor::gemm(1.0, a.t(), b.view(), 1.0, c.view_mut());
/// assert_eq!(c, array![[104.0, 3.0], [6.0, 4.0]]);
/// ```
///
/// # Panics
///
/// If the shapes do not fit.
pub fn gemm<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, c: ArrayViewMut2<'_, T>) {
    multiply(true, alpha, a, b, beta, c);
}

/// `C = A₁ B₁ + A₂ B₂`: as one product, whose operands need not lie together, in half the passes over C.
///
/// ```
/// use ndarray::array;
/// let (x, dz) = (array![[1.0f32, 2.0]], array![[3.0, 4.0, 5.0]]);
/// let mut dw = array![[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
/// let part = (x.t(), dz.view());
/// chainrule_tensor::gemm_pair([part, part], 0.0, dw.view_mut());
/// assert_eq!(dw, array![[6.0, 8.0, 10.0], [12.0, 16.0, 20.0]]);
/// ```
///
/// # Panics
///
/// If the shapes do not fit.
pub fn gemm_pair<T: Real>(
    parts: [(ArrayView2<'_, T>, ArrayView2<'_, T>); 2],
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    for (a, b) in &parts {
        check(a, b, &c);
    }
    if !T::product_of_pair(parts, beta, &mut c) {
        let [(a, b), (a2, b2)] = parts;
        gemm(T::one(), a, b, beta, c.view_mut());
        gemm(T::one(), a2, b2, T::one(), c);
    }
}

/// The product by kernels of our own where they are faster, if `ours` allows them, else by BLAS.
pub(crate) fn multiply<T: Real>(
    ours: bool,
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    let ((m, n), k) = (c.dim(), a.ncols());
    check(&a, &b, &c);
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        // BLAS scales C here; 0 times NaN would stay NaN in ndarray's.
        c.mapv_inplace(|c| if beta == T::zero() { beta } else { beta * c });
        return;
    }
    T::product(ours, alpha, a, b, beta, c);
}

/// That the shapes fit.
fn check<T>(a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>, c: &ArrayViewMut2<'_, T>) {
    let ((m, k), (k2, n)) = (a.dim(), b.dim());
    assert!(k == k2 && c.dim() == (m, n), "gemm: [{m}, {k}] x [{k2}, {n}] into {:?}", c.shape());
}

/// The product for one type of number, and the loops that have kernels of their own for it. Implemented for `f32` and `f64`; not for users to implement.
#[doc(hidden)]
pub trait Product: Sized {
    fn product(
        ours: bool,
        alpha: Self,
        a: ArrayView2<'_, Self>,
        b: ArrayView2<'_, Self>,
        beta: Self,
        c: ArrayViewMut2<'_, Self>,
    );

    /// Does [`gemm_pair`] for shapes that fit, or returns `false`.
    fn product_of_pair(
        _: [(ArrayView2<'_, Self>, ArrayView2<'_, Self>); 2],
        _: Self,
        _: &mut ArrayViewMut2<'_, Self>,
    ) -> bool {
        false
    }

    /// Does [`vector::adam_kernel`](crate::vector::adam_kernel) for slices of one length, or returns `false`.
    fn adam(_: AdamStep<Self>, _: &mut [Self], _: &[Self], _: [&mut [Self]; 2]) -> bool {
        false
    }

    /// Does [`Blocks::copy`] for slices that are long enough, or returns `false`.
    fn copy_blocks(_: Blocks<'_>, _: &[Self], _: &mut [Self]) -> bool {
        false
    }

    /// Does [`Blocks::add_back`] for slices that are long enough, or returns `false`.
    fn add_blocks_back(_: Blocks<'_>, _: &[Self], _: &mut [Self]) -> bool {
        false
    }

    /// Whether the functions below have kernels for this CPU.
    fn fast_taps() -> bool {
        false
    }

    /// Does [`Taps::product`] for shapes that fit, or returns `false`.
    fn taps_product(
        _: Taps<'_>,
        _: &ArrayView2<'_, Self>,
        _: &[Self],
        _: Onto<'_, Self>,
        _: &mut ArrayViewMut2<'_, Self>,
    ) -> bool {
        false
    }

    /// Does [`Taps::product_transposed`] for shapes that fit, or returns `false`.
    fn taps_product_transposed(
        _: Taps<'_>,
        _: &ArrayView2<'_, Self>,
        _: &[Self],
        _: &mut ArrayViewMut2<'_, Self>,
    ) -> bool {
        false
    }
}

type Direct<T> = fn(T, &ArrayView2<'_, T>, &ArrayView2<'_, T>, T, &mut ArrayViewMut2<'_, T>) -> bool;

/// Does a product of single precision without BLAS, where that is faster; else `false`.
fn direct(
    alpha: f32,
    a: &ArrayView2<'_, f32>,
    b: &ArrayView2<'_, f32>,
    beta: f32,
    c: &mut ArrayViewMut2<'_, f32>,
) -> bool {
    #[cfg(target_arch = "x86_64")]
    return alpha == 1.0 && crate::direct::product([(*a, *b)], beta, c);
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

#[cfg(not(feature = "blas"))]
macro_rules! product {
    ($real:ident, $gemm:ident, $direct:expr $(, $taps:item)*) => {
        impl Product for $real {
            $($taps)*

            fn product(
                ours: bool,
                alpha: Self,
                a: ArrayView2<'_, Self>,
                b: ArrayView2<'_, Self>,
                beta: Self,
                mut c: ArrayViewMut2<'_, Self>,
            ) {
                let direct: Direct<Self> = $direct;
                if ours && direct(alpha, &a, &b, beta, &mut c) {
                    return;
                }
                ndarray::linalg::general_mat_mul(alpha, &a, &b, beta, &mut c);
            }
        }
    };
}

#[cfg(feature = "blas")]
use blas_src as _; // links the library

#[cfg(feature = "blas")]
mod layout {
    use cblas_sys::{CBLAS_TRANSPOSE, CblasNoTrans, CblasTrans};
    use ndarray::ArrayView2;

    /// How BLAS is to read a row-major matrix: as it lies in memory, or transposed.
    pub(super) struct Operand {
        pub(super) order: CBLAS_TRANSPOSE,
        pub(super) leading: i32,
    }

    impl Operand {
        /// `None` if neither the rows nor the columns of the view are contiguous.
        pub(super) fn of<T>(view: &ArrayView2<'_, T>) -> Option<Self> {
            let ((rows, columns), strides) = (view.dim(), view.strides());
            let leading = |across: usize, step: isize, along: usize, unit: isize| {
                let packed = unit == 1 || along == 1;
                // The stride over a single line is never taken; BLAS still wants it to be long enough.
                let step = if across == 1 { along as isize } else { step };
                (packed && step >= along.max(1) as isize).then_some(i32::try_from(step).ok()).flatten()
            };
            if let Some(leading) = leading(rows, strides[0], columns, strides[1]) {
                Some(Self { order: CblasNoTrans, leading })
            } else {
                let leading = leading(columns, strides[1], rows, strides[0])?;
                Some(Self { order: CblasTrans, leading })
            }
        }
    }
}

#[cfg(feature = "blas")]
macro_rules! product {
    ($real:ident, $gemm:ident, $direct:expr $(, $taps:item)*) => {
        impl Product for $real {
            $($taps)*

            fn product(
                ours: bool,
                alpha: Self,
                a: ArrayView2<'_, Self>,
                b: ArrayView2<'_, Self>,
                beta: Self,
                mut c: ArrayViewMut2<'_, Self>,
            ) {
                let direct: Direct<Self> = $direct;
                if ours && direct(alpha, &a, &b, beta, &mut c) {
                    return;
                }
                let ((m, k), n) = (a.dim(), b.ncols());
                let (Ok(rows), Ok(columns), Ok(depth)) =
                    (i32::try_from(m), i32::try_from(n), i32::try_from(k))
                else {
                    return ndarray::linalg::general_mat_mul(alpha, &a, &b, beta, &mut c);
                };
                let operands =
                    (layout::Operand::of(&a), layout::Operand::of(&b), layout::Operand::of(&c.view()));
                let (Some(left), Some(right), Some(out)) = operands else {
                    return ndarray::linalg::general_mat_mul(alpha, &a, &b, beta, &mut c);
                };
                if matches!(out.order, cblas_sys::CblasTrans) {
                    // Cᵀ = Bᵀ Aᵀ is row-major.
                    return Self::product(
                        ours,
                        alpha,
                        b.reversed_axes(),
                        a.reversed_axes(),
                        beta,
                        c.reversed_axes(),
                    );
                }
                // SAFETY: every size fits in `i32`. For each operand, `Operand::of` found one axis with unit
                // stride and the other with the stride `leading`, at least as long as a line, so that the
                // elements BLAS touches are those of the view, which is in bounds; the borrow of `c` is
                // exclusive, so it overlaps neither `a` nor `b`.
                unsafe {
                    cblas_sys::$gemm(
                        cblas_sys::CblasRowMajor,
                        left.order,
                        right.order,
                        rows,
                        columns,
                        depth,
                        alpha,
                        a.as_ptr(),
                        left.leading,
                        b.as_ptr(),
                        right.leading,
                        beta,
                        c.as_mut_ptr(),
                        out.leading,
                    );
                }
            }
        }
    };
}

product!(
    f32,
    cblas_sgemm,
    direct,
    #[cfg(target_arch = "x86_64")]
    fn product_of_pair(
        parts: [(ArrayView2<'_, f32>, ArrayView2<'_, f32>); 2],
        beta: f32,
        c: &mut ArrayViewMut2<'_, f32>,
    ) -> bool {
        crate::direct::product(parts, beta, c)
    },
    #[cfg(target_arch = "x86_64")]
    fn adam(step: AdamStep<f32>, params: &mut [f32], grads: &[f32], means: [&mut [f32]; 2]) -> bool {
        crate::vector::fast_adam(step, params, grads, means)
    },
    #[cfg(target_arch = "x86_64")]
    fn copy_blocks(blocks: Blocks<'_>, from: &[f32], to: &mut [f32]) -> bool {
        crate::blocks::masked::copy(blocks, from, to)
    },
    #[cfg(target_arch = "x86_64")]
    fn add_blocks_back(blocks: Blocks<'_>, to: &[f32], from: &mut [f32]) -> bool {
        crate::blocks::masked::add_back(blocks, to, from)
    },
    #[cfg(target_arch = "x86_64")]
    fn fast_taps() -> bool {
        crate::isa::level() >= crate::isa::Level::Avx512
    },
    #[cfg(target_arch = "x86_64")]
    fn taps_product(
        taps: Taps<'_>,
        a: &ArrayView2<'_, f32>,
        values: &[f32],
        onto: Onto<'_, f32>,
        c: &mut ArrayViewMut2<'_, f32>,
    ) -> bool {
        crate::direct::taps_product(taps, a, values, onto, c)
    },
    #[cfg(target_arch = "x86_64")]
    fn taps_product_transposed(
        taps: Taps<'_>,
        a: &ArrayView2<'_, f32>,
        values: &[f32],
        c: &mut ArrayViewMut2<'_, f32>,
    ) -> bool {
        crate::dots::taps_product_transposed(taps, a, values, c)
    }
);
product!(f64, cblas_dgemm, |_, _, _, _, _| false);

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut rng = crate::Seed(seed).rng();
        Array2::from_shape_simple_fn((rows, columns), || rng.normal())
    }

    fn check(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, mut c: ArrayViewMut2<'_, f64>) {
        for (alpha, beta) in [(1.0, 0.0), (1.0, 1.0), (-0.5, 2.0)] {
            let before = c.to_owned();
            gemm(alpha, a, b, beta, c.view_mut());
            for ((i, j), &found) in c.indexed_iter() {
                let right: f64 = (0..a.ncols()).map(|k| a[[i, k]] * b[[k, j]]).sum();
                let right = alpha * right + beta * before[[i, j]];
                assert!((found - right).abs() < 1e-12 * (1.0 + right.abs()), "{found} for {right}");
            }
        }
    }

    #[test]
    fn every_layout() {
        for (m, n, k) in [(1, 1, 1), (5, 1, 7), (1, 6, 3), (17, 33, 20), (4, 4, 1)] {
            let (a, b, c) = (random(m, k, 1), random(k, n, 2), random(m, n, 3));
            let (at, bt, mut ct) = (random(k, m, 4), random(n, k, 5), random(n, m, 6));
            check(a.view(), b.view(), c.clone().view_mut());
            check(at.t(), b.view(), c.clone().view_mut());
            check(a.view(), bt.t(), c.clone().view_mut());
            check(at.t(), bt.t(), ct.view_mut().reversed_axes());
            let mut wide = random(2 * m, 3 * n, 7);
            check(a.view(), b.view(), wide.slice_mut(s![..m, n..2 * n]));
            check(a.view(), b.view(), wide.slice_mut(s![..;2, ..;3]));
            check(
                wide.slice(s![..m, ..;3]),
                bt.slice(s![.., ..1]).t().broadcast((n, n)).unwrap(),
                random(m, n, 8).view_mut(),
            );
            check(a.slice(s![..;-1, ..]), b.slice(s![.., ..;-1]), c.clone().view_mut());
        }
    }

    #[test]
    fn pairs_of_any_layout() {
        fn check<T: Real>(parts: [(ArrayView2<'_, T>, ArrayView2<'_, T>); 2]) {
            for beta in [T::zero(), T::one()] {
                let mut c = Array2::from_elem((parts[0].0.nrows(), parts[0].1.ncols()), T::one());
                let mut right = c.clone();
                gemm_pair(parts, beta, c.view_mut());
                gemm(T::one(), parts[0].0, parts[0].1, beta, right.view_mut());
                gemm(T::one(), parts[1].0, parts[1].1, T::one(), right.view_mut());
                for (found, right) in c.iter().zip(&right) {
                    assert!((*found - *right).abs().as_f64() < 1e-4, "{found} for {right}");
                }
            }
        }
        let (a, b, at, b2) = (random(9, 5, 1), random(5, 20, 2), random(7, 9, 3), random(7, 20, 4));
        let single = |m: &Array2<f64>| m.mapv(|v| v as f32);
        check([(a.view(), b.view()), (at.t(), b2.view())]);
        check([(at.t(), b2.view()), (at.t(), b2.view())]);
        let (a, b, at, b2) = (single(&a), single(&b), single(&at), single(&b2));
        check([(a.view(), b.view()), (at.t(), b2.view())]);
        check([(at.t(), b2.view()), (at.slice(s![..3, ..]).reversed_axes(), b2.slice(s![..3, ..]))]);
    }

    #[test]
    fn beta_zero_forgets_even_nan() {
        let mut c = Array2::from_elem((3, 3), f64::NAN);
        gemm(1.0, random(3, 2, 1).view(), random(2, 3, 2).view(), 0.0, c.view_mut());
        assert!(c.iter().all(|c| c.is_finite()));
        c.fill(f64::NAN);
        gemm(1.0, random(3, 0, 1).view(), random(0, 3, 2).view(), 0.0, c.view_mut());
        assert!(c.iter().all(|&c| c == 0.0));
    }

    #[test]
    #[should_panic(expected = "gemm: [2, 3] x [2, 3]")]
    fn shapes_that_do_not_fit() {
        gemm(1.0, random(2, 3, 1).view(), random(2, 3, 2).view(), 0.0, random(2, 3, 3).view_mut());
    }
}
