//! Constant values; [`Constant`](chainrule_core::Constant) is the general one.

use chainrule_core::{Initializer, ParamSpec};
use chainrule_tensor::Seed;

/// All zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeros;

impl Initializer for Zeros {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(0.0);
    }
}

/// All ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ones;

impl Initializer for Ones {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(1.0);
    }
}
