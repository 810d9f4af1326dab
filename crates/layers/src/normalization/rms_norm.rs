//! Root-mean-square normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};

use super::{Affine, Over, RowStatistics, epsilon, room};
use crate::packed::{fill_packed, packed};

/// `y = x / √(mean of x² + ε) w`, with the mean over the values of a sample along its last axes, and a scale `w` for
/// each of these values (Zhang and Sennrich 2019, "Root mean square layer normalization"; PyTorch's `RMSNorm`).
///
/// [`new`](Self::new) normalises over the last axis, so `[steps, features]` over the features of each step. As in
/// PyTorch, `ε` is the distance from 1 to the next number of the model's precision; [`keras`](Self::keras) has Keras'
/// `10⁻⁶`.
#[derive(Clone, Copy, Debug)]
pub struct RmsNorm {
    axes: Over,
    epsilon: Option<f64>,
    affine: Affine,
}

impl RmsNorm {
    /// Over the last axis.
    pub fn new() -> Self {
        Self { axes: Over::Last(1), epsilon: None, affine: Affine::WithoutBias }
    }

    /// With Keras' epsilon.
    pub fn keras() -> Self {
        Self::new().epsilon(1e-6)
    }

    /// Over so many of the last axes.
    #[must_use]
    pub fn axes(self, count: usize) -> Self {
        Self { axes: Over::Last(count), ..self }
    }

    /// Over all axes: all values of a sample.
    #[must_use]
    pub fn all_axes(self) -> Self {
        Self { axes: Over::All, ..self }
    }

    /// Another `ε`.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon: Some(epsilon), ..self }
    }

    /// Without scales.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { affine: Affine::Without, ..self }
    }

    fn epsilon_of<T: Real>(&self) -> f64 {
        self.epsilon.unwrap_or(T::epsilon().as_f64())
    }
}

impl Default for RmsNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for RmsNorm {
    type Cache = RowStatistics<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        epsilon::<T>(self.epsilon_of::<T>(), input, plan)?;
        let axes = self.axes.of(input, plan)?;
        let (size, scales) = (axes.size(), self.affine.plan(axes, plan)?);
        plan.memory(input.size() / size);
        Ok((input, RowStatistics { size, scales, ..Default::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let RowStatistics { size, inverse, scales, copies: [x_copy, y_copy, _], .. } = cache;
        let (size, n, epsilon) = (*size, T::of(*size as f64), T::of(self.epsilon_of::<T>()));
        let [weight, _] = self.affine.take(scales.size, &mut params, &mut scales.fixed);
        let inverse = room(inverse, x.len() / size);
        let x = packed(x, x_copy);
        fill_packed(y, y_copy, |y| {
            for ((x, y), inverse) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).zip(inverse) {
                let [squares] = vector::sums(
                    [x],
                    #[inline(always)]
                    |[x]| [x * x],
                );
                let inv = (squares / n + epsilon).sqrt().recip(); //     1 / √(Σ x² / n + ε)
                vector::each(
                    [x, weight],
                    [y],
                    #[inline(always)]
                    |[x, w], _| [x * inv * w], //                        y = x̂ w
                );
                *inverse = inv;
            }
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let RowStatistics { size, inverse, scales, copies: [x_copy, dy_copy, dx_copy], .. } = cache;
        let (size, n) = (*size, T::of(*size as f64));
        let [weight, _] = self.affine.take(scales.size, &mut params, &mut scales.fixed);
        let [dw, _] = self.affine.grads(scales.size, &mut grads, &mut scales.spare);
        let (x, dy) = (packed(x, x_copy), packed(dy, dy_copy));
        let rows = x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(inverse.iter());
        let Some(dx) = dx else {
            for ((x, dy), &inv) in rows {
                vector::each(
                    [x, dy],
                    [dw],
                    #[inline(always)]
                    |[x, dy], [dw]| [dw + dy * (x * inv)], //            dw = Σ dy x̂
                );
            }
            return;
        };
        fill_packed(dx, dx_copy, |dx| {
            for (((x, dy), &inv), dx) in rows.zip(dx.chunks_exact_mut(size)) {
                let [along] = vector::sums(
                    [x, dy, weight],
                    #[inline(always)]
                    |[x, dy, w]| [dy * w * (x * inv)],
                );
                let along = along / n;
                vector::each(
                    [x, dy, weight],
                    [dx, dw],
                    #[inline(always)]
                    |[x, dy, w], [_, dw]| {
                        let a = x * inv;
                        [(dy * w - a * along) * inv, dw + dy * a] //     dx = (da - x̂ · mean of da x̂) / √(...)
                    },
                );
            }
        });
    }
}
