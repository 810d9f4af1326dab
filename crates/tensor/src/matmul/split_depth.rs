//! Products of a large inner dimension K, in blocks of K.
//!
//! A kernel adds the terms of a value in one chain, or in one for each few hundred of them, and its error grows with the length of
//! the chain: 2²⁰ equal terms are off by 3e-5 in single precision. The products of blocks of K are added with what rounding takes
//! from them, so the error is that of one block.

use ndarray::{ArrayView2, ArrayViewMut2, s};

use super::unsplit;
use crate::machine::prefetch;
use crate::real::Real;
use crate::vector::add_block;

/// Products of a larger K are split. Below, a chain for each few hundred terms, as BLAS has them, is good enough.
pub(super) const LONG: usize = 8192;

/// The number of terms in a block. Equal ones, the worst case, have an error of at most 1.9e-6 in single precision.
const DEPTH: usize = 128;

/// The number of values of C that are computed at a time: the product of a block, and what was rounded away, stay in the first or
/// second cache.
const TILE: usize = 4096;

/// The maximum number of rows that are computed at a time.
const ROWS: usize = 64;

/// `C = alpha A B + beta C`, for shapes that fit and are not empty.
pub(super) fn multiply<T: Real>(
    alpha: T,
    a: ArrayView2<'_, T>,
    b: ArrayView2<'_, T>,
    beta: T,
    mut c: ArrayViewMut2<'_, T>,
) {
    if c.strides()[0] == 1 && c.strides()[1] != 1 {
        // Cᵀ = Bᵀ Aᵀ has contiguous rows.
        return multiply(alpha, b.reversed_axes(), a.reversed_axes(), beta, c.reversed_axes());
    }
    let (m, n) = c.dim();
    let rows = m.min(ROWS);
    let columns = TILE / rows;
    for row in (0..m).step_by(rows) {
        let rows = row..m.min(row + rows);
        let a = a.slice(s![rows.clone(), ..]);
        for column in (0..n).step_by(columns) {
            let columns = column..n.min(column + columns);
            let b = b.slice(s![.., columns.clone()]);
            tile(alpha, a, b, beta, c.slice_mut(s![rows.clone(), columns]));
        }
    }
}

/// The product for up to `TILE` values of C.
fn tile<T: Real>(alpha: T, a: ArrayView2<'_, T>, b: ArrayView2<'_, T>, beta: T, mut c: ArrayViewMut2<'_, T>) {
    let (mut part, mut excess) = ([T::zero(); TILE], [T::zero(); TILE]);
    let (m, n) = c.dim();
    let excess = &mut excess[..m * n];
    for start in (0..a.ncols()).step_by(DEPTH) {
        let depth = start..a.ncols().min(start + DEPTH);
        let next = depth.end..a.ncols().min(depth.end + DEPTH);
        request_rows(b.slice(s![next, ..]));
        let (a, b) = (a.slice(s![.., depth.clone()]), b.slice(s![depth, ..]));
        if start == 0 {
            unsplit::multiply(true, alpha, a, b, beta, c.view_mut());
            continue;
        }
        let part = &mut part[..m * n];
        let product = ArrayViewMut2::from_shape((m, n), &mut *part).expect("it has the size of the tile");
        unsplit::multiply(true, alpha, a, b, T::zero(), product);
        let lines = c.rows_mut().into_iter().zip(part.chunks_exact(n)).zip(excess.chunks_exact_mut(n));
        for ((mut c, part), excess) in lines {
            match c.as_slice_mut() {
                Some(c) => add_block(part, c, excess),
                None => {
                    for ((c, &part), excess) in c.iter_mut().zip(part).zip(excess) {
                        add_block(&[part], std::slice::from_mut(c), std::slice::from_mut(excess));
                    }
                }
            }
        }
    }
}

/// Requests the rows of B that are multiplied next, where they are contiguous: a kernel takes a part of each row first, and so the
/// CPU does not foresee them all. With 32 rows of 50,000 columns, multiplied by as many rows of 64, the product takes 0.74 times as long, with 64
/// rows 0.84 (Zen 5, single precision). The rows of A, which are farther from each other, gain nothing.
fn request_rows<T>(b: ArrayView2<'_, T>) {
    if b.strides()[1] == 1 {
        b.rows().into_iter().filter_map(|row| row.to_slice()).for_each(prefetch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm;
    use ndarray::Array2;

    #[test]
    fn every_layout_of_many_terms() {
        let k = LONG + 1000;
        let mut rng = crate::seed::Seed(3).rng();
        let mut random =
            |rows, columns| Array2::from_shape_simple_fn((rows, columns), || rng.normal() as f32);
        for (m, n) in [(1, 1), (3, 10), (70, 65)] {
            let (a, at, b, bt, before) =
                (random(m, k), random(k, m), random(k, n), random(n, k), random(m, n));
            for (a, b) in [(a.view(), b.view()), (at.t(), bt.t())] {
                let right = a.mapv(f64::from).dot(&b.mapv(f64::from));
                let check = |mut c: ArrayViewMut2<'_, f32>| {
                    c.assign(&before);
                    gemm(-0.5, a, b, 2.0, c.view_mut());
                    for ((found, right), before) in c.iter().zip(&right).zip(&before) {
                        let right = 2.0 * f64::from(*before) - 0.5 * right;
                        let error = (f64::from(*found) - right).abs();
                        assert!(error < 1e-5 * (10.0 + right.abs()), "{found} {right}");
                    }
                };
                check(random(m, 2 * n).slice_mut(s![.., n..]));
                check(random(m, 2 * n).slice_mut(s![.., ..;2]));
                check(random(n, m).view_mut().reversed_axes());
            }
        }
    }
}
