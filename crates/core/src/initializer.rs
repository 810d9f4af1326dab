//! The first values of parameters.

use std::fmt::Debug;
use std::sync::Arc;

use chainrule_tensor::{Seed, Shape};

use crate::describe::{Description, Range, SharedKind};
use crate::{describe, described};

/// A parameter to be filled: its shape, `fan_in` and `fan_out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamSpec {
    /// The shape of the parameter.
    pub shape: Shape,
    /// The number of inputs that an output sums over.
    pub fan_in: usize,
    /// The number of outputs that an input contributes to.
    pub fan_out: usize,
}

/// A rule for the first values of a parameter.
///
/// It works in double precision whatever the model's element type is, so that an `f32` model and an `f64` model with
/// the same seed start from the same values.
pub trait Initializer: Debug + Send + Sync {
    /// Fills `values`, which has the size of `spec.shape`; the result depends only on `spec` and `seed`.
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]);

    /// What this is: that of its entry, if it has one (see [`describe!`]).
    fn description(&self) -> Description {
        Description::of_debug(self)
    }
}

impl SharedKind for dyn Initializer {
    const KIND: &'static str = "initializer";
    const KINDS: &'static str = "initializers";

    fn description(&self) -> Description {
        Initializer::description(self)
    }
}

/// One that a registry has built is an initialiser like all others.
impl<I: Initializer + ?Sized> Initializer for Arc<I> {
    fn fill(&self, spec: ParamSpec, seed: Seed, values: &mut [f64]) {
        (**self).fill(spec, seed, values);
    }

    fn description(&self) -> Description {
        Initializer::description(&**self)
    }
}

/// The same value everywhere; `Constant(0.0)` is the usual bias.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

impl Initializer for Constant {
    fn fill(&self, _: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(self.0);
    }

    described!();
}

describe! {
    /// The same value everywhere.
    Constant = "constant";
    settings {
        /// The value.
        0 as "value": 0.0, Range::ANY;
    }
}
