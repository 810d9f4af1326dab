//! The cache of layers that normalise rows of values.

use std::ops::Range;

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

/// Up to [`BLOCK`](super::row_blocks::BLOCK) rows of values in the backward pass.
pub(super) struct NormalizedRows<'a, T> {
    pub(super) x: &'a [T],
    pub(super) dy: &'a [T],
    /// The scales.
    pub(super) weight: &'a [T],
    /// The two parts of the mean of each row; empty where none is taken off.
    pub(super) base: &'a [T],
    pub(super) offset: &'a [T],
    pub(super) inv: &'a [T],
}

impl<T: Real> RowNormCache<T> {
    /// The backward pass, some rows at a time: `weights` adds to the gradients of scales and shifts, `[dw, db]`, and `all` also overwrites
    /// `dx`. One of them is called for all rows.
    pub(super) fn backward(
        pass: Backward<'_, T, Self>,
        scale_shift: ScaleShift,
        weights: impl Fn(NormalizedRows<'_, T>, [&mut [T]; 2]),
        all: impl Fn(NormalizedRows<'_, T>, &mut [T], [&mut [T]; 2]),
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
        let of_rows = |rows: Range<usize>| NormalizedRows {
            x: &x[rows.start * size..rows.end * size],
            dy: &dy[rows.start * size..rows.end * size],
            weight,
            base: base.get(rows.clone()).unwrap_or(&[]),
            offset: offset.get(rows.clone()).unwrap_or(&[]),
            inv: &inverse[rows],
        };
        let Some(dx) = dx else {
            blocks.add(count, sums, |rows, [dw, db]| {
                weights(of_rows(rows), [dw, db]);
            });
            return;
        };
        write_contiguous(dx, dx_copy, |dx| {
            blocks.add(count, sums, |rows, [dw, db]| {
                let dx = &mut dx[rows.start * size..rows.end * size];
                all(of_rows(rows), dx, [dw, db]);
            });
        });
    }
}
