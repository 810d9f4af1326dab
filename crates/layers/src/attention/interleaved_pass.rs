//! What a pass over sixteen samples side by side takes.

use chainrule_tensor::interleaved::INTERLEAVED;
use chainrule_tensor::{Buffer, Real, Seed};

/// The memory in which sixteen matrices are side by side.
#[derive(Clone, Debug, Default)]
pub(super) struct InterleavedScratch<T: Real> {
    pub(super) queries: Buffer<T>,
    pub(super) keys: Buffer<T>,
    pub(super) values: Buffer<T>,
    pub(super) outputs: Buffer<T>,
    /// The gradients of keys and of values.
    pub(super) of_keys: Buffer<T>,
    pub(super) of_values: Buffer<T>,
    /// The weights after dropout, and the gradient of the scores.
    pub(super) dropped: Buffer<T>,
    pub(super) gradient: Buffer<T>,
}

/// The first samples of a batch, as many as can be computed side by side.
#[derive(Clone, Copy)]
pub(super) struct InterleavedSamples(pub(super) usize);

impl InterleavedSamples {
    /// How many they are.
    pub(super) fn len(self) -> usize {
        self.0
    }

    /// The first sample of each group.
    pub(super) fn groups(self) -> impl Iterator<Item = usize> {
        (0..self.0).step_by(INTERLEAVED)
    }
}

/// What a pass over these samples needs beside its operands.
pub(super) struct InterleavedPass<'a, T: Real> {
    pub(super) samples: InterleavedSamples,
    /// The seed and the first row of the pass, if it drops weights.
    pub(super) dropped: Option<(Seed, usize)>,
    pub(super) scratch: &'a mut InterleavedScratch<T>,
}
