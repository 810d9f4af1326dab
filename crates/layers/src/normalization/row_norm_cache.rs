//! The cache of layers that normalise rows of values.

use chainrule_tensor::{Buffer, Real};

use super::row_blocks::RowBlocks;
use super::scale_shift::ScaleShiftCache;

/// What a layer that normalises rows of values keeps between its passes: the statistics of each row.
#[derive(Clone, Debug, Default)]
pub struct RowNormCache<T: Real> {
    /// The number of values that are normalised together.
    pub(super) size: usize,
    /// The two parts of the mean.
    pub(super) base: Buffer<T>,
    pub(super) offset: Buffer<T>,
    /// `1 / √(σ² + ε)`, or what else the values are multiplied with.
    pub(super) inverse: Buffer<T>,
    pub(super) scale_shift: ScaleShiftCache<T>,
    pub(super) blocks: RowBlocks<T>,
    /// Copies of strided batches.
    pub(super) copies: [Buffer<T>; 3],
}
