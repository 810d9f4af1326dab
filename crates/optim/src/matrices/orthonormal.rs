//! Orthonormal rows, in double precision.

use super::reflections::{accumulate, reflect, reflection};

/// Replaces the rows of a square matrix by orthonormal ones, of which the first k span what its first k rows span, by Householder's
/// reflections (Golub and Van Loan 2013, algorithm 5.2.1). They are orthonormal whatever the rank is.
pub(super) fn orthonormalize(matrix: &mut [f64], size: usize) {
    for k in 0..size {
        let (rows, below) = matrix.split_at_mut((k + 1) * size);
        let v = &mut rows[k * size + k..];
        reflection(v);
        below.chunks_exact_mut(size).for_each(|row| reflect(v, &mut row[k..]));
    }
    accumulate(matrix, size, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainrule_tensor::{Seed, vector};

    #[test]
    fn rows_are_orthonormal_and_span_the_same() {
        for size in [1usize, 2, 3, 10, 17] {
            for rank in [size, size.div_ceil(2), 0] {
                let mut rng = Seed(size as u64).rng();
                let mut a: Vec<f64> = (0..size * size).map(|_| rng.normal()).collect();
                // Rows from `rank` on are copies of the first, or zeros.
                let first: Vec<f64> = a[..size].iter().map(|&x| if rank == 0 { 0.0 } else { x }).collect();
                a.chunks_exact_mut(size).skip(rank).for_each(|row| row.copy_from_slice(&first));
                let mut q = a.clone();
                orthonormalize(&mut q, size);
                for (i, row) in q.chunks_exact(size).enumerate() {
                    for (j, other) in q.chunks_exact(size).enumerate() {
                        let right = f64::from(u8::from(i == j));
                        assert!((vector::dot(row, other) - right).abs() < 1e-14, "{size} {rank}");
                    }
                    // An earlier row of A has no part in a later direction.
                    for earlier in a.chunks_exact(size).take(i) {
                        assert!(vector::dot(row, earlier).abs() < 1e-13, "{size} {rank}");
                    }
                }
            }
        }
    }
}
