//! Products with the same bits on every CPU.

use std::cell::Cell;
use std::marker::PhantomData;

use ndarray::{ArrayView2, ArrayViewMut2, arr2, s};

use crate::real::Real;
use crate::simd::level::{Level, level};
use crate::simd::operands::{Choice, Used};

thread_local! {
    static PORTABLE: Cell<bool> = const { Cell::new(false) };
}

/// A guard: while it exists, the current thread's products are computed by our own kernels, never by BLAS, and have the same bits on
/// every CPU.
///
/// The terms of a value are added in parts of K of at most 96, each part in the order of K with one rounding for each product and
/// sum, and the parts in their order. On x86-64 without FMA every term takes a call of a function: there this is slow.
///
/// ```
/// use chainrule_tensor::{PortableProducts, gemm};
/// use ndarray::array;
///
/// let (a, b) = (array![[0.1f32, 0.2, 0.3]], array![[0.4f32], [0.5], [0.6]]);
/// let mut c = array![[0.0f32]];
/// {
///     let _portable = PortableProducts::new(true);
///     gemm(1.0, a.view(), b.view(), 0.0, c.view_mut());
/// }
/// assert_eq!(c[[0, 0]], 0.3f32.mul_add(0.6, 0.2f32.mul_add(0.5, 0.1 * 0.4)));
/// ```
#[derive(Debug)]
pub struct PortableProducts {
    before: bool,
    /// What the guard sets belongs to the thread, so it must not move to another.
    _thread: PhantomData<*mut ()>,
}

impl PortableProducts {
    /// Chooses portable products for this thread, or the fastest.
    #[inline]
    #[must_use]
    pub fn new(portable: bool) -> Self {
        Self { before: PORTABLE.replace(portable), _thread: PhantomData }
    }
}

impl Drop for PortableProducts {
    #[inline]
    fn drop(&mut self) {
        PORTABLE.set(self.before);
    }
}

/// Whether this thread's products are portable.
#[inline]
pub(super) fn is_portable() -> bool {
    PORTABLE.get()
}

/// When our own kernels compute a product of this thread.
#[inline]
pub(crate) fn choice() -> Choice {
    // Without BLAS there is ndarray's product, which is faster where ours take a call for each term.
    let is_slow = cfg!(target_arch = "x86_64") && level() == Level::Baseline;
    match is_portable() {
        true => Choice::Portable,
        false if cfg!(not(feature = "blas")) && !is_slow => Choice::Always,
        false => Choice::Faster,
    }
}

/// `C = alpha A B + beta C` in the same order, value by value, for a C with contiguous rows or columns in no direction.
pub(super) fn one_by_one<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    for ((row, column), c) in c.indexed_iter_mut() {
        let factors = [(a.slice(s![row..=row, ..]), b.slice(s![.., column..=column]))];
        let mut value = arr2(&[[*c]]);
        let done = T::product(Choice::Portable, alpha, &factors, Used::All, beta, &mut value.view_mut());
        assert!(done, "a single value is contiguous");
        *c = value[[0, 0]];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{gemm, gemm_sum};
    use ndarray::Array2;

    fn random<T: Real>(rows: usize, columns: usize, seed: u64) -> Array2<T> {
        let mut rng = crate::seed::Seed(seed).rng();
        Array2::from_shape_simple_fn((rows, columns), || T::of(rng.normal()))
    }

    /// The order that the documentation promises.
    fn defined<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, c: T) -> T {
        let count = a.ncols().div_ceil(96);
        let (shorter, longer) = (a.ncols() / count, a.ncols() % count);
        let mut terms = a.iter().zip(&b);
        let mut sum = None;
        for part in 0..count {
            let len = shorter + usize::from(part < longer);
            let part = terms.by_ref().take(len).fold(T::zero(), |sum, (a, b)| a.mul_add(*b, sum));
            sum = Some(sum.map_or(part, |sum: T| sum + part));
        }
        let product = if alpha == T::one() { sum.unwrap() } else { alpha * sum.unwrap() };
        if beta == T::zero() { product } else { beta * c + product }
    }

    fn check<T: Real>(
        alpha: f64,
        beta: f64,
        a: ArrayView2<'_, T>,
        b: ArrayView2<'_, T>,
        mut c: ArrayViewMut2<'_, T>,
    ) {
        let (alpha, beta) = (T::of(alpha), T::of(beta));
        let before = c.to_owned();
        gemm(alpha, a, b, beta, c.view_mut());
        for ((row, column), &found) in c.indexed_iter() {
            let (a, b) = (a.slice(s![row..=row, ..]), b.slice(s![.., column..=column]));
            let right = defined(alpha, a, b, beta, before[[row, column]]);
            assert!(found == right, "{} {alpha} {beta} {a} {b}: {found} for {right}", T::NAME);
        }
    }

    /// This is run at every level of instructions that the machine has.
    fn every_layout<T: Real>() {
        let _portable = PortableProducts::new(true);
        for (m, n, k) in [(1, 1, 1), (1, 9, 40), (13, 1, 97), (21, 35, 250), (130, 40, 100), (40, 270, 130)] {
            let (a, at, b, bt) = (random::<T>(m, k, 1), random(k, m, 2), random(k, n, 3), random(n, k, 4));
            let wide = random(2 * k, 3 * k.max(n), 5);
            for (alpha, beta) in [(1.0, 0.0), (1.0, 1.0), (-0.5, 0.0), (0.3, 0.7)] {
                check(alpha, beta, a.view(), b.view(), random(m, n, 6).view_mut());
                check(alpha, beta, at.t(), bt.t(), random(n, m, 6).view_mut().reversed_axes());
                check(alpha, beta, a.view(), wide.slice(s![..;2, ..n]), random(m, n, 6).view_mut());
                check(
                    alpha,
                    beta,
                    a.view(),
                    wide.slice(s![..k, ..;3]).slice(s![.., ..n.min(k)]),
                    random(m, n.min(k), 6).view_mut(),
                );
                check(alpha, beta, at.t(), b.view(), random(2 * m, 2 * n, 6).slice_mut(s![..;2, ..;2]));
            }
        }
    }

    #[test]
    fn the_order_is_the_same_for_every_layout_and_level() {
        every_layout::<f32>();
        every_layout::<f64>();
    }

    #[test]
    fn a_sum_of_products_is_that_of_the_whole() {
        let _portable = PortableProducts::new(true);
        let (x, dz) = (random::<f32>(200, 30, 1), random::<f32>(200, 50, 2));
        let mut right = Array2::zeros((30, 50));
        gemm(1.0, x.t(), dz.view(), 0.0, right.view_mut());
        for cut in [[1, 2], [50, 100], [96, 192], [0, 199]] {
            let rows = [0..cut[0], cut[0]..cut[1], cut[1]..200];
            let parts =
                rows.map(|rows| (x.slice(s![rows.clone(), ..]).reversed_axes(), dz.slice(s![rows, ..])));
            let mut found = Array2::zeros((30, 50));
            gemm_sum(&parts, 0.0, found.view_mut());
            assert_eq!(found, right, "{cut:?}");
        }
    }

    #[test]
    fn the_guard_ends() {
        assert!(!is_portable());
        {
            let _outer = PortableProducts::new(true);
            {
                let _inner = PortableProducts::new(false);
                assert!(!is_portable());
            }
            assert!(is_portable());
        }
        assert!(!is_portable());
    }
}
