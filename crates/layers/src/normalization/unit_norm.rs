//! Normalisation to unit length.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape, each, sums};

use super::normalized_axes::NormalizedAxes;
use super::row_norm_cache::RowNormCache;
use super::scratch::scratch;
use super::wide::wide_root;
use crate::contiguous::{contiguous, write_contiguous};

/// The minimum length that values are divided by.
const MIN_LENGTH: f64 = 1e-12;

/// `y = x / max(|x|, 10⁻¹²)`, with the Euclidean length `|x|` of the values of a sample along its last axes (Keras'
/// `UnitNormalization`, PyTorch's `functional.normalize`).
///
/// [`new`](Self::new) normalises over the last axis, so `[steps, features]` over the features of each step.
#[derive(Clone, Copy, Debug)]
pub struct UnitNorm {
    axes: NormalizedAxes,
}

describe! {
    /// Divides the values along the last axes of a sample by their length.
    UnitNorm = "unit_norm";
    aliases ["unit_normalization"];
    formula "y = x / |x|";
    settings {
        /// How many of the last axes, or `all`.
        axes: 1;
    }
}

impl UnitNorm {
    /// Over the last axis.
    pub fn new() -> Self {
        Self { axes: NormalizedAxes::Last(1) }
    }

    /// Over this many of the last axes.
    #[must_use]
    pub fn axes(self, count: usize) -> Self {
        Self { axes: NormalizedAxes::Last(count) }
    }

    /// Over all axes: all values of a sample.
    #[must_use]
    pub fn all_axes(self) -> Self {
        Self { axes: NormalizedAxes::All }
    }
}

impl Default for UnitNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for UnitNorm {
    type Cache = RowNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        let size = self.axes.of(input, plan)?.size();
        plan.memory(input.size() / size);
        Ok((input, RowNormCache { size, ..Default::default() }))
    }

    described!();

    fn forward(&self, Forward { x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let RowNormCache { size, inverse, copies: [x_copy, y_copy, _], .. } = cache;
        let inverse = scratch(inverse, x.len() / *size);
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            for ((x, y), inverse) in x.chunks_exact(*size).zip(y.chunks_exact_mut(*size)).zip(inverse) {
                let [squares] = sums!(|x| [x * x]);
                let mut inv = squares.sqrt().max(T::of(MIN_LENGTH)).recip();
                if !squares.is_finite() {
                    inv = wide_root(x, T::one(), T::zero());
                }
                each!(y = |x| x * inv); //                               y = x / |x|
                *inverse = inv;
            }
        });
    }

    fn backward(&self, Backward { x, dy, dx, cache, .. }: Backward<'_, T, Self::Cache>) {
        let Some(dx) = dx else { return };
        let RowNormCache { size, inverse, copies: [x_copy, dy_copy, dx_copy], .. } = cache;
        let x = contiguous(x, x_copy);
        let dy = contiguous(dy, dy_copy);
        write_contiguous(dx, dx_copy, |dx| {
            let rows = x.chunks_exact(*size).zip(dy.chunks_exact(*size)).zip(inverse.iter());
            for (((x, dy), &inv), dx) in rows.zip(dx.chunks_exact_mut(*size)) {
                let [along] = sums!(|x, dy| [dy * (x * inv)]);
                // A vector shorter than the minimum is only multiplied.
                let along = if inv < T::of(MIN_LENGTH).recip() { along } else { T::zero() };
                each!(dx = |x, dy| (dy - x * inv * along) * inv); //     dx = (dy - y Σ y dy) / |x|
            }
        });
    }
}
