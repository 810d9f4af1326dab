//! Inverse roots of symmetric matrices.

use chainrule_tensor::{Real, doubles, gemm, scratch_for_doubles, vector};

use super::eigen::eigen;
use super::{rows_of, rows_of_mut};

/// How many values [`inverse_root`] computes in, for a matrix of this size.
pub(super) const fn scratch(size: usize) -> usize {
    scratch_for_doubles(2 * size * (size + 1))
}

/// Writes `(A / divisor + ε I)^(-power)` of a symmetric matrix A without negative eigenvalues, from its eigenvectors in double
/// precision.
///
/// What rounding made of the eigenvalues of A may be a little below 0, and counts as 0. With ε, all of them count as at least
/// `√size` roundings of the largest one: smaller ones are not known. Leaves `root` as it is if A is not finite.
pub(super) fn inverse_root<T: Real>(
    a: &[T],
    size: usize,
    divisor: f64,
    epsilon: f64,
    power: f64,
    root: &mut [T],
    scratch: &mut [T],
) {
    let (vectors, rest) = doubles(scratch).split_at_mut(size * size);
    let (product, rest) = rest.split_at_mut(size * size);
    let (values, rest) = rest.split_at_mut(size);
    vectors.iter_mut().zip(a).for_each(|(to, a)| *to = a.as_f64() / divisor);
    if !eigen(vectors, values, rest) {
        return;
    }
    let least = (size as f64).sqrt() * T::epsilon().as_f64() * vector::largest(values);
    for (vector, value) in vectors.chunks_exact_mut(size).zip(&*values) {
        // The root is the product of these rows with themselves, so that it is symmetric.
        let factor = (value.max(0.0) + epsilon).max(least).powf(-0.5 * power);
        vector.iter_mut().for_each(|v| *v *= factor);
    }
    let vectors = rows_of(&*vectors, size);
    gemm(1.0, vectors.reversed_axes(), vectors, 0.0, rows_of_mut(&mut *product, size));
    root.iter_mut().zip(product).for_each(|(to, value)| *to = T::of(*value));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix with eigenvalues 1, 4 and `small`, along turned axes.
    fn turned<T: Real>(small: f64, of: impl Fn(f64) -> f64) -> Vec<T> {
        let axes = [[2.0, -1.0, 2.0], [2.0, 2.0, -1.0], [-1.0, 2.0, 2.0]].map(|v| v.map(|v| v / 3.0));
        let values = [1.0, 4.0, small].map(of);
        let value = |row: usize, column: usize| -> f64 {
            axes.iter().zip(values).map(|(v, value)| value * v[row] * v[column]).sum()
        };
        (0..9).map(|index| T::of(value(index / 3, index % 3))).collect()
    }

    fn check<T: Real>(tolerance: f64) {
        for power in [0.5, 0.25] {
            for small in [0.01, 0.0] {
                let a = turned::<T>(small, |value| 2.0 * value);
                let mut root = vec![T::nan(); 9];
                inverse_root(&a, 3, 2.0, 1e-3, power, &mut root, &mut vec![T::nan(); scratch(3)]);
                let right = turned::<f64>(small, |value| (value + 1e-3).powf(-power));
                for (found, right) in root.iter().zip(right) {
                    let error = (found.as_f64() - right).abs() / 1e-3f64.powf(-power);
                    assert!(error < tolerance, "{small} {power}: {error:e}");
                }
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_eigenvalues() {
        check::<f64>(1e-12);
        check::<f32>(1e-4);
    }

    #[test]
    fn the_root_of_what_is_almost_singular_is_finite() {
        // All eigenvalues but one are roundings, some of them negative.
        let x = [0.3f32, -1.7, 2.9, 0.01];
        let a: Vec<f32> = (0..16).map(|index| 1e6 * x[index / 4] * x[index % 4]).collect();
        let mut root = [f32::NAN; 16];
        inverse_root(&a, 4, 1.0, 1e-12, 0.5, &mut root, &mut vec![0.0; scratch(4)]);
        let least = 2.0 * f32::EPSILON * 1e6 * 11.5;
        assert!(vector::largest(&root) < 1.1 / least.sqrt(), "{root:?}");
        let kept = root;
        inverse_root(&[f32::INFINITY; 16], 4, 1.0, 1e-12, 0.5, &mut root, &mut vec![0.0; scratch(4)]);
        assert_eq!(root, kept);
    }
}
