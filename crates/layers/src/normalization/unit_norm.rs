//! Normalisation to unit length.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};

use super::{Over, RowStatistics, room};
use crate::packed::{fill_packed, packed};

/// The smallest length that is divided by.
const SHORTEST: f64 = 1e-12;

/// `y = x / max(|x|, 10⁻¹²)`, with the Euclidean length `|x|` of the values of a sample along its last axes (Keras'
/// `UnitNormalization`, PyTorch's `functional.normalize`).
///
/// [`new`](Self::new) normalises over the last axis, so `[steps, features]` over the features of each step.
#[derive(Clone, Copy, Debug)]
pub struct UnitNorm {
    axes: Over,
}

impl UnitNorm {
    /// Over the last axis.
    pub fn new() -> Self {
        Self { axes: Over::Last(1) }
    }

    /// Over so many of the last axes.
    #[must_use]
    pub fn axes(self, count: usize) -> Self {
        Self { axes: Over::Last(count) }
    }

    /// Over all axes: all values of a sample.
    #[must_use]
    pub fn all_axes(self) -> Self {
        Self { axes: Over::All }
    }
}

impl Default for UnitNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for UnitNorm {
    type Cache = RowStatistics<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let size = self.axes.of(input, plan)?.size();
        plan.memory(input.size() / size);
        Ok((input, RowStatistics { size, ..Default::default() }))
    }

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let RowStatistics { size, inverse, copies: [x_copy, y_copy, _], .. } = cache;
        let inverse = room(inverse, x.len() / *size);
        let x = packed(x, x_copy);
        fill_packed(y, y_copy, |y| {
            for ((x, y), inverse) in x.chunks_exact(*size).zip(y.chunks_exact_mut(*size)).zip(inverse) {
                let [squares] = vector::sums(
                    [x],
                    #[inline(always)]
                    |[x]| [x * x],
                );
                let inv = squares.sqrt().max(T::of(SHORTEST)).recip();
                vector::each(
                    [x],
                    [y],
                    #[inline(always)]
                    |[x], _| [x * inv], //                               y = x / |x|
                );
                *inverse = inv;
            }
        });
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, Self::Cache>) {
        let Some(dx) = dx else { return };
        let RowStatistics { size, inverse, copies: [x_copy, dy_copy, dx_copy], .. } = cache;
        let (x, dy) = (packed(x, x_copy), packed(dy, dy_copy));
        fill_packed(dx, dx_copy, |dx| {
            let rows = x.chunks_exact(*size).zip(dy.chunks_exact(*size)).zip(inverse.iter());
            for (((x, dy), &inv), dx) in rows.zip(dx.chunks_exact_mut(*size)) {
                let [along] = vector::sums(
                    [x, dy],
                    #[inline(always)]
                    |[x, dy]| [dy * (x * inv)],
                );
                // A vector shorter than that is only multiplied.
                let along = if inv < T::of(SHORTEST).recip() { along } else { T::zero() };
                vector::each(
                    [x, dy],
                    [dx],
                    #[inline(always)]
                    |[x, dy], _| [(dy - x * inv * along) * inv], //      dx = (dy - y Σ y dy) / |x|
                );
            }
        });
    }
}
