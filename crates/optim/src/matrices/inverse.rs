//! The inverse of a symmetric positive definite matrix.
//!
//! Gauss and Jordan's elimination of a block of rows K with the block P = M[K, K] and R = M[K, :] is
//!
//! ```text
//! M ← M - Rᵀ P⁻¹ R;   M[K, :] ← P⁻¹ R;   M[:, K] ← (P⁻¹ R)ᵀ;   M[K, K] ← -P⁻¹
//! ```
//!
//! which keeps M symmetric. When all rows have been eliminated, M is minus its inverse. No rows are exchanged: a positive definite
//! matrix does not need it.

use chainrule_tensor::gemm;

use super::{rows_of, rows_of_mut};

/// How many rows are eliminated at a time, so that most of the work is matrix products.
const BLOCK: usize = 32;

/// How many values [`invert`] computes in, for a matrix of this size.
pub(super) const fn scratch(size: usize) -> usize {
    let block = if size < BLOCK { size } else { BLOCK };
    block.saturating_mul(block.saturating_add(size.saturating_mul(2)))
}

/// Replaces a symmetric matrix of this size by its inverse. If it is not positive definite, or not finite, returns false and leaves
/// numbers without a meaning.
pub(super) fn invert(matrix: &mut [f64], size: usize, scratch: &mut [f64]) -> bool {
    for first in (0..size).step_by(BLOCK) {
        let block = first..size.min(first + BLOCK);
        let width = block.len();
        let (rows, rest) = scratch.split_at_mut(width * size);
        let (products, rest) = rest.split_at_mut(width * size);
        let pivot = &mut rest[..width * width];
        let of_block = block.start * size..block.end * size;
        rows.copy_from_slice(&matrix[of_block.clone()]);
        for (to, row) in pivot.chunks_exact_mut(width).zip(rows.chunks_exact(size)) {
            to.copy_from_slice(&row[block.clone()]);
        }
        if !eliminate(pivot, width) {
            return false;
        }
        let r = rows_of(&*rows, size);
        gemm(-1.0, rows_of(&*pivot, width), r, 0.0, rows_of_mut(&mut *products, size)); //           P⁻¹ R
        let of_products = rows_of(&*products, size);
        gemm(-1.0, r.reversed_axes(), of_products, 1.0, rows_of_mut(&mut *matrix, size)); // M ← M - Rᵀ P⁻¹ R
        for (row, product) in products.chunks_exact(size).enumerate() {
            let column = matrix[first + row..].iter_mut().step_by(size);
            column.zip(product).for_each(|(to, &value)| *to = value);
        }
        matrix[of_block.clone()].copy_from_slice(products);
        for (row, pivot) in matrix[of_block].chunks_exact_mut(size).zip(pivot.chunks_exact(width)) {
            row[block.clone()].copy_from_slice(pivot);
        }
    }
    matrix.iter_mut().for_each(|value| *value = -*value);
    true
}

/// Replaces a symmetric matrix of at most [`BLOCK`] rows by minus its inverse, row by row, if all pivots are above 0.
fn eliminate(matrix: &mut [f64], size: usize) -> bool {
    let mut own = [0.0; BLOCK];
    let own = &mut own[..size];
    for k in 0..size {
        own.copy_from_slice(&matrix[k * size..][..size]);
        let pivot = own[k];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return false;
        }
        for (i, row) in matrix.chunks_exact_mut(size).enumerate().filter(|&(i, _)| i != k) {
            let factor = own[i] / pivot;
            row.iter_mut().zip(&*own).for_each(|(value, own)| *value -= factor * own);
            row[k] = factor;
        }
        matrix[k * size..][..size].iter_mut().zip(&*own).for_each(|(value, own)| *value = own / pivot);
        matrix[k * size + k] = -1.0 / pivot;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    use chainrule_tensor::Seed;

    fn inverse(matrix: &[f64], size: usize) -> Option<Vec<f64>> {
        let mut inverse = matrix.to_vec();
        let mut memory = vec![f64::NAN; scratch(size)];
        invert(&mut inverse, size, &mut memory).then_some(inverse)
    }

    #[test]
    fn a_matrix_times_its_inverse_is_one() {
        for size in [1usize, 2, 3, 31, 32, 33, 64, 100] {
            let mut rng = Seed(size as u64).rng();
            // With fewer rows than columns, so that what is added to the diagonal decides.
            let rows: Vec<f64> = (0..size.div_ceil(2) * size).map(|_| rng.normal()).collect();
            let mut matrix = vec![0.0; size * size];
            let x = rows_of(&rows, size);
            gemm(1.0, x.reversed_axes(), x, 0.0, rows_of_mut(&mut matrix, size));
            (0..size).for_each(|i| matrix[i * size + i] += 0.1);
            let inverse = inverse(&matrix, size).unwrap();
            let mut product = vec![0.0; size * size];
            gemm(1.0, rows_of(&matrix, size), rows_of(&inverse, size), 0.0, rows_of_mut(&mut product, size));
            for (index, value) in product.iter().enumerate() {
                let right = f64::from(u8::from(index % size == index / size));
                assert!((value - right).abs() < 1e-10, "{size}: {value} at {index}");
            }
        }
    }

    #[test]
    fn what_has_no_inverse_is_refused() {
        assert_eq!(inverse(&[], 0), Some(vec![]));
        for wrong in [[0.0, 0.0, 0.0, 0.0], [1.0, 2.0, 2.0, 4.0], [1.0, 2.0, 2.0, 1.0], [-1.0, 0.0, 0.0, 1.0]]
        {
            assert_eq!(inverse(&wrong, 2), None);
        }
        for value in [f64::NAN, f64::INFINITY] {
            assert_eq!(inverse(&[1.0, value, value, 1.0], 2), None);
        }
    }
}
