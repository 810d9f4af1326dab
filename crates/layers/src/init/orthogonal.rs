//! Orthogonal matrices.

use chainrule_core::{Initializer, ParamSpec};
use chainrule_tensor::Seed;
use ndarray::Array2;
use ndarray_linalg::QR;

use super::{Normal, matrix};

/// A random matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al. 2013).
///
/// The first axis of the parameter is the rows of the matrix, the others together are its columns, as in PyTorch. It is the Q of a QR decomposition (LAPACK, through `ndarray-linalg`) of a normal matrix, with the signs of R's
/// diagonal, which makes it uniformly distributed. It requires a BLAS that includes LAPACK.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    gain: f64,
}

impl Orthogonal {
    /// With this gain; 1 keeps lengths, `√2` suits ReLU.
    pub fn new(gain: f64) -> Self {
        Self { gain }
    }
}

impl Default for Orthogonal {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Initializer for Orthogonal {
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
        Normal::default().fill(spec, seed, values);
        let (rows, columns) = matrix(spec);
        let tall = rows.max(columns);
        let wide = rows.min(columns);
        if wide == 0 {
            return;
        }
        let drawn = Array2::from_shape_fn((tall, wide), |(i, j)| values[i * wide + j]);
        // LAPACK fails only for matrices that are not finite, and this one is finite.
        let Ok((q, r)) = drawn.qr() else { return };
        for row in 0..rows {
            for column in 0..columns {
                let (i, j) = if rows >= columns { (row, column) } else { (column, row) };
                values[row * columns + column] = self.gain * q[[i, j]] * r[[j, j]].signum();
            }
        }
    }
}
