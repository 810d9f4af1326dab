//! Orthogonal matrices.

use chainrule_core::{Initializer, ParamSpec, Range, describe, described};
use chainrule_tensor::Seed;
use ndarray::{ArrayView2, ArrayViewMut2};

use super::householder::{self, Columns};
use super::{Normal, matrix};

/// A random matrix with orthonormal rows or columns, whichever are fewer, times a gain (Saxe et al. 2013).
///
/// The first axis of the parameter is the rows of the matrix, the others together are its columns, as in PyTorch. It is the Q of a
/// QR decomposition of a normal matrix with the signs of R's diagonal, which makes it unique and uniformly distributed
/// (Mezzadri 2007). Householder's reflections compute it in double precision, without BLAS or LAPACK: a seed gives the same numbers
/// in every build.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Orthogonal {
    gain: f64,
}

describe! {
    /// A random matrix with orthonormal rows or columns, whichever are fewer, times a gain.
    Orthogonal = "orthogonal";
    aliases ["orthogonal_initializer"];
    formula "gain Q of A = Q R, A normal, the diagonal of R positive";
    source "Saxe et al. 2013";
    settings {
        /// The gain; √2 suits ReLU.
        gain: 1.0, Range::FINITE;
    }
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

/// `Bᵀ` for `A` `[rows, columns]`, both in row-major order.
fn transpose(a: &[f64], rows: usize, b: &mut [f64]) {
    let columns = a.len() / rows;
    let a = ArrayView2::from_shape((rows, columns), a).expect("the size of the matrix");
    let mut b = ArrayViewMut2::from_shape((columns, rows), b).expect("the size of the matrix");
    b.assign(&a.t());
}

impl Initializer for Orthogonal {
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
        Normal::default().fill(spec, seed, values);
        if values.is_empty() {
            return;
        }
        let (rows, columns) = matrix(spec);
        let tall = rows.max(columns);
        let mut scratch = vec![0.0; values.len()];
        transpose(values, tall, &mut scratch);
        let mut v = Columns { values: &mut scratch, rows: tall };
        let signs = householder::factor(&mut v);
        let scales: Vec<f64> = signs.iter().map(|sign| self.gain * sign).collect();
        householder::product(&v, &scales, &mut Columns { values: &mut *values, rows: tall });
        // The columns of Q are the rows of a wide parameter already.
        if rows >= columns {
            transpose(values, columns, &mut scratch);
            values.copy_from_slice(&scratch);
        }
    }

    described!();
}
