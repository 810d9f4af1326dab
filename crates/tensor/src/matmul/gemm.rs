//! The matrix product.

use ndarray::{ArrayView2, ArrayViewMut2};

use super::portable::choice;
use super::split_depth;
use super::unsplit;
use crate::real::Real;
use crate::simd::operands::Used;

/// `C = alpha A B + beta C`, for `A` of shape `[m, k]`, `B` of `[k, n]` and `C` of `[m, n]`.
///
/// A transposed view (`a.t()`) or a slice of columns costs nothing: BLAS gets its strides. As in BLAS, a factor of 0 stands for
/// what is not there: if `beta` is 0, the old values of `C` do not matter, and if `alpha` is 0, those of `A` and `B` do not, not
/// even infinities and NaN. If K is above 8192, the product is split into blocks of K whose products are added with what
/// rounding takes from them, so that its error does not grow with K: in single precision it is at most 2e-6 of the sum of the terms'
/// sizes. Below, kernels add chains of 96 to 384 terms, and it is at most 6e-6 with OpenBLAS. Nothing is allocated, except what a
/// thread keeps for its next product, and without any BLAS feature on an x86-64 without AVX2, where ndarray's product packs its operands.
///
/// ```
/// use ndarray::array;
/// let a = array![[1.0f32, 2.0], [3.0, 4.0]];
/// let b = array![[1.0, 0.0], [1.0, 1.0]];
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

/// The maximum number of products that [`gemm_sum`] adds up.
pub const MAX_PRODUCTS: usize = 16;

/// `C = A₁ B₁ + A₂ B₂ + ... + beta C`, as one product of concatenated operands that need not be stored together: one pass over C.
///
/// Where our own kernels compute it, the result is that of the concatenated operands to the last bit, however they are cut.
///
/// ```
/// use ndarray::array;
/// let x = array![[1.0f32, 2.0]];
/// let dz = array![[3.0, 4.0, 5.0]];
/// let mut dw = array![[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]];
/// let product = (x.t(), dz.view());
/// chainrule_tensor::gemm_sum(&[product, product], 0.0, dw.view_mut());
/// assert_eq!(dw, array![[6.0, 8.0, 10.0], [12.0, 16.0, 20.0]]);
/// ```
///
/// # Panics
///
/// If the shapes do not fit, or if there are more than [`MAX_PRODUCTS`].
pub fn gemm_sum<T: Real>(
    products: &[(ArrayView2<'_, T>, ArrayView2<'_, T>)],
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    assert!(products.len() <= MAX_PRODUCTS, "{} products; at most {MAX_PRODUCTS}", products.len());
    for (a, b) in products {
        check(a, b, &c);
    }
    let depth = products.iter().map(|(a, _)| a.ncols()).fold(0, usize::saturating_add);
    if !c.is_empty() && depth > 0 && T::product(choice(), T::one(), products, Used::All, beta, &mut c) {
        return;
    }
    if products.is_empty() {
        c.mapv_inplace(|c| if beta == T::zero() { beta } else { beta * c });
    }
    for (index, &(a, b)) in products.iter().enumerate() {
        gemm(T::one(), a, b, if index == 0 { beta } else { T::one() }, c.view_mut());
    }
}

/// The product by our own kernels where they are faster, if `own_kernels` allows them, otherwise by BLAS.
pub(crate) fn multiply<T: Real>(
    own_kernels: bool,
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
    if k == 0 || alpha == T::zero() {
        // Not every BLAS skips A and B, and in ndarray's product 0 times NaN would stay NaN.
        c.mapv_inplace(|c| if beta == T::zero() { beta } else { beta * c });
        return;
    }
    if own_kernels && k > split_depth::LONG {
        return split_depth::multiply(alpha, a, b, beta, c);
    }
    unsplit::multiply(own_kernels, alpha, a, b, beta, c);
}

/// Panics if the shapes do not fit.
fn check<T>(a: &ArrayView2<'_, T>, b: &ArrayView2<'_, T>, c: &ArrayViewMut2<'_, T>) {
    let ((m, k), (k2, n)) = (a.dim(), b.dim());
    assert!(k == k2 && c.dim() == (m, n), "gemm: [{m}, {k}] x [{k2}, {n}] into {:?}", c.shape());
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};

    fn random(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
        let mut rng = crate::seed::Seed(seed).rng();
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
        fn check<T: Real>(products: [(ArrayView2<'_, T>, ArrayView2<'_, T>); 2]) {
            for beta in [T::zero(), T::one()] {
                let mut c = Array2::from_elem((products[0].0.nrows(), products[0].1.ncols()), T::one());
                let mut right = c.clone();
                gemm_sum(&products, beta, c.view_mut());
                gemm(T::one(), products[0].0, products[0].1, beta, right.view_mut());
                gemm(T::one(), products[1].0, products[1].1, T::one(), right.view_mut());
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
    fn beta_zero_overwrites_even_nan() {
        let mut c = Array2::from_elem((3, 3), f64::NAN);
        gemm(1.0, random(3, 2, 1).view(), random(2, 3, 2).view(), 0.0, c.view_mut());
        assert!(c.iter().all(|c| c.is_finite()));
        c.fill(f64::NAN);
        gemm(1.0, random(3, 0, 1).view(), random(0, 3, 2).view(), 0.0, c.view_mut());
        assert!(c.iter().all(|&c| c == 0.0));
    }

    /// Calls `f` with matrices of these values in every layout that has a path of its own.
    fn layouts<T: Real>(rows: usize, columns: usize, value: T, mut f: impl FnMut(ArrayViewMut2<'_, T>)) {
        f(Array2::from_elem((rows, columns), value).view_mut());
        f(Array2::from_elem((columns, rows), value).view_mut().reversed_axes());
        f(Array2::from_elem((rows, 2 * columns), value).slice_mut(s![.., columns..]));
        f(Array2::from_elem((2 * rows, 3 * columns), value).slice_mut(s![..;2, ..;3]));
    }

    fn factors_of_zero<T: Real>() {
        let (zero, one, two) = (T::zero(), T::one(), T::of(2.0));
        for n in [1, 2, 3, 16, 33, 200] {
            for (m, k) in [(n, n), (1, n), (n, 1)] {
                layouts(m, k, T::nan(), |a| {
                    layouts(k, n, T::infinity(), |b| {
                        for (beta, before, after) in
                            [(zero, T::nan(), zero), (one, two, two), (two, one, two)]
                        {
                            layouts(m, n, before, |mut c| {
                                gemm(zero, a.view(), b.view(), beta, c.view_mut());
                                assert!(c.iter().all(|&c| c == after), "{m} {n} {k}");
                                crate::blas::gemm(zero, a.view(), b.view(), zero, c.view_mut());
                                assert!(c.iter().all(|&c| c == zero), "{m} {n} {k}");
                            });
                        }
                    });
                });
                layouts(m, n, T::nan(), |mut c| {
                    let (a, b) = (Array2::from_elem((m, k), one), Array2::from_elem((k, n), two));
                    gemm(one, a.view(), b.view(), zero, c.view_mut());
                    let right = T::of(2.0 * k as f64);
                    assert!(c.iter().all(|&c| c == right), "{m} {n} {k}");
                });
            }
        }
    }

    #[test]
    fn what_a_factor_of_zero_stands_before_is_not_read() {
        factors_of_zero::<f32>();
        factors_of_zero::<f64>();
    }

    #[test]
    #[should_panic(expected = "gemm: [2, 3] x [2, 3]")]
    fn shapes_that_do_not_fit() {
        gemm(1.0, random(2, 3, 1).view(), random(2, 3, 2).view(), 0.0, random(2, 3, 3).view_mut());
    }
}
