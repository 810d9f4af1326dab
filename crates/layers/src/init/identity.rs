//! Identities: weights that pass the input on.

use chainrule_core::{Initializer, ParamSpec, Range, describe, described};
use chainrule_tensor::Seed;

use super::matrix;

/// The identity matrix times a gain, 1 by default. The first axis is the rows, the others together are the columns;
/// if their numbers differ, the rest is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Identity {
    gain: f64,
}

describe! {
    /// The identity matrix times a gain: the first axis is its rows, the others its columns.
    Identity = "identity";
    aliases ["eye", "identity_initializer"];
    settings {
        /// The gain.
        gain: 1.0, Range::FINITE;
    }
}

impl Identity {
    /// With this gain.
    pub fn new(gain: f64) -> Self {
        Self { gain }
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::new(1.0)
    }
}

impl Initializer for Identity {
    fn fill(&self, spec: ParamSpec, _: Seed, values: &mut [f64]) {
        let (rows, columns) = matrix(spec);
        values.fill(0.0);
        for i in 0..rows.min(columns) {
            values[i * columns + i] = self.gain;
        }
    }

    described!();
}

/// A convolution's kernel `[out, in / groups, k...]` that passes on as many channels as possible: 1 in the middle of the kernel
/// from channel `i` to channel `i`, else 0 (Zagoruyko and Komodakis 2017, "DiracNets").
///
/// The middle of `k` values has the index `k / 2`. With [`groups`](Self::groups), each group passes on its first channels, as
/// PyTorch's `dirac_`; output channels that belong to no group are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dirac {
    groups: usize,
}

describe! {
    /// A kernel of a convolution that passes on as many channels as possible.
    Dirac = "dirac";
    source "Zagoruyko and Komodakis 2017, \"DiracNets\"";
    settings {
        /// The number of groups of the convolution.
        groups: 1, Range::AT_LEAST_ONE;
    }
}

impl Dirac {
    /// For a convolution without groups.
    pub fn new() -> Self {
        Self { groups: 1 }
    }

    /// For a convolution with this many groups.
    #[must_use]
    pub fn groups(self, groups: usize) -> Self {
        Self { groups }
    }
}

impl Default for Dirac {
    fn default() -> Self {
        Self::new()
    }
}

impl Initializer for Dirac {
    fn fill(&self, spec: ParamSpec, _: Seed, values: &mut [f64]) {
        values.fill(0.0);
        let &[outputs, inputs, ref kernel @ ..] = &*spec.shape else { return };
        let size: usize = kernel.iter().product();
        let middle = kernel.iter().fold(0, |index, k| index * k + k / 2);
        let each = outputs / self.groups.max(1);
        for output in 0..each * self.groups.max(1) {
            let input = output % each;
            if input < inputs && size > 0 {
                values[(output * inputs + input) * size + middle] = 1.0;
            }
        }
    }

    described!();
}
