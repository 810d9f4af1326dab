//! Sparse weights.

use chainrule_core::{Initializer, ParamSpec, Range, describe, described};
use chainrule_tensor::Seed;

use super::{Normal, matrix};

/// Normal with mean 0, with `⌈sparsity rows⌉` zeros at random positions of each column (Martens 2010,
/// "Deep learning via Hessian-free optimization"; PyTorch's `sparse_`). The deviation is 0.01 by default.
///
/// The first axis is the rows, the others together are the columns. In a `Dense` weight, `[inputs, units]`, a column
/// holds the weights into one unit, as Martens intends; PyTorch's weight is the transpose, so there it holds the weights out of
/// one input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sparse {
    sparsity: f64,
    deviation: f64,
}

describe! {
    /// Normal with mean 0, with zeros at random positions of each column.
    Sparse = "sparse";
    source "Martens 2010, \"Deep learning via Hessian-free optimization\"";
    settings {
        /// The fraction of zeros.
        sparsity: required, Range::UNIT;
        /// The standard deviation of the other values.
        deviation ("std"): 0.01, Range::NOT_NEGATIVE;
    }
}

impl Sparse {
    /// With this fraction of zeros, from 0 to 1.
    pub fn new(sparsity: f64) -> Self {
        Self { sparsity, deviation: 0.01 }
    }

    /// Sets the standard deviation of the other values.
    #[must_use]
    pub fn deviation(self, deviation: f64) -> Self {
        Self { deviation, ..self }
    }
}

impl Initializer for Sparse {
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
        Normal::new(0.0, self.deviation).fill(spec, seed.child(0), values);
        let (rows, columns) = matrix(spec);
        let zeros = (self.sparsity * rows as f64).ceil() as usize;
        let mut indices: Vec<usize> = (0..rows).collect();
        let mut rng = seed.child(1).rng();
        for column in 0..columns {
            rng.shuffle(&mut indices);
            for &row in indices.iter().take(zeros) {
                values[row * columns + column] = 0.0;
            }
        }
    }

    described!();
}
