//! The cache of layers that normalise rows of values.

use chainrule_core::Backward;
use chainrule_tensor::{Buffer, Real};

use super::row_blocks::RowBlocks;
use super::scale_shift::{ScaleShift, ScaleShiftCache};
use crate::contiguous::{contiguous, write_contiguous};

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

/// A row of values in the backward pass.
pub(super) struct NormalizedRow<'a, T> {
    pub(super) x: &'a [T],
    pub(super) dy: &'a [T],
    /// The scales.
    pub(super) weight: &'a [T],
    /// The two parts of the mean; 0 where none is taken off.
    pub(super) base: T,
    pub(super) offset: T,
    pub(super) inv: T,
}

impl<T: Real> RowNormCache<T> {
    /// The backward pass, row by row: `weights` adds to the gradients of scales and shifts, `[dw, db]`, and `all` also overwrites
    /// `dx`. One of them is called for each row.
    pub(super) fn backward(
        pass: Backward<'_, T, Self>,
        scale_shift: ScaleShift,
        weights: impl Fn(NormalizedRow<'_, T>, [&mut [T]; 2]),
        all: impl Fn(NormalizedRow<'_, T>, &mut [T], [&mut [T]; 2]),
    ) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let Self { size, base, offset, inverse, scale_shift: of_cache, blocks, copies } = cache;
        let [x_copy, dy_copy, dx_copy] = copies;
        let size = *size;
        let [weight, _] = scale_shift.params(of_cache.size, &mut params, &mut of_cache.defaults);
        let sums = scale_shift.grads(of_cache.size, &mut grads, &mut of_cache.unused_grads);
        let x = contiguous(x, x_copy);
        let dy = contiguous(dy, dy_copy);
        let count = x.len() / size;
        let row = |row: usize| NormalizedRow {
            x: &x[row * size..(row + 1) * size],
            dy: &dy[row * size..(row + 1) * size],
            weight,
            base: base.get(row).copied().unwrap_or(T::zero()),
            offset: offset.get(row).copied().unwrap_or(T::zero()),
            inv: inverse[row],
        };
        let Some(dx) = dx else {
            blocks.add(count, sums, |rows, [dw, db]| {
                rows.for_each(|index| weights(row(index), [&mut *dw, &mut *db]));
            });
            return;
        };
        write_contiguous(dx, dx_copy, |dx| {
            blocks.add(count, sums, |rows, [dw, db]| {
                for index in rows {
                    all(row(index), &mut dx[index * size..(index + 1) * size], [&mut *dw, &mut *db]);
                }
            });
        });
    }
}
