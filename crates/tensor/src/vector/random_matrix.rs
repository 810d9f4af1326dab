//! Random numbers to test with.

use ndarray::Array2;

/// Normally distributed values, the same in every call.
pub(super) fn random_matrix(rows: usize, columns: usize) -> Array2<f64> {
    let mut rng = crate::seed::Seed(5).rng();
    Array2::from_shape_simple_fn((rows, columns), || rng.normal())
}
