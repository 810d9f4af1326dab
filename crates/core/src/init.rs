//! How parameters get their first values.

use std::fmt::Debug;

use chainrule_tensor::{Seed, Shape};

/// A parameter that is to be filled: its shape, and how many values each output sums and each input feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// The shape of the parameter.
    pub shape: Shape,
    /// How many inputs an output sums over.
    pub fan_in: usize,
    /// How many outputs an input takes part in.
    pub fan_out: usize,
}

/// A rule for the first values of a parameter.
///
/// It works in double precision whatever the model's type is, so that an `f32` model and an `f64` model with
/// one seed start from the same values.
pub trait Initializer: Debug + Send + Sync {
    /// Fills `values`, which has as many values as `spec.shape`, from `seed` alone.
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]);
}

/// The same value everywhere; `Constant(0.0)` is the usual bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

impl Initializer for Constant {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(self.0);
    }
}
