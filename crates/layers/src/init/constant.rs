//! Constant values; [`Constant`](chainrule_core::Constant) is the general one.

use chainrule_core::{Initializer, ParamSpec, describe, described};
use chainrule_tensor::Seed;

/// All zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Zeros;

describe! {
    /// All zeros.
    Zeros = "zeros";
}

impl Initializer for Zeros {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(0.0);
    }

    described!();
}

/// All ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ones;

describe! {
    /// All ones.
    Ones = "ones";
}

impl Initializer for Ones {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(1.0);
    }

    described!();
}
