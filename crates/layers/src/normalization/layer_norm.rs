//! Layer normalisation.

use chainrule_core::{Backward, Forward, Layer, Plan, ShapeError};
use chainrule_tensor::{Buffer, Real, Shape, vector};

use super::{Affine, Over, Scales, corrected, epsilon, room};
use crate::packed::{fill_packed, packed};

/// `y = (x - μ) / √(σ² + ε) w + b`, with the mean `μ` and the variance `σ²` of the values of a sample along its
/// last axes, and a scale `w` and a shift `b` for each of these values (Ba, Kiros and Hinton 2016, "Layer
/// normalization"; PyTorch's `LayerNorm`).
///
/// [`new`](Self::new) normalises over the last axis, so `[steps, features]` over the features of each step, with
/// `ε = 10⁻⁵`; [`keras`](Self::keras) has Keras' `10⁻³`. Where all values are the same, the output is the shift.
///
/// ```
/// use chainrule_core::{Sequential, gradcheck};
/// use chainrule_layers::{Dense, LayerNorm, Relu};
/// let layers = Sequential::<f64>::default().then(Dense::new(8)).then(LayerNorm::new()).then(Relu);
/// gradcheck::gradients(&layers, [4])?;
/// # Ok::<(), chainrule_core::gradcheck::GradientError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    axes: Over,
    epsilon: f64,
    affine: Affine,
}

impl LayerNorm {
    /// Over the last axis.
    pub fn new() -> Self {
        Self { axes: Over::Last(1), epsilon: 1e-5, affine: Affine::Full }
    }

    /// With Keras' epsilon.
    pub fn keras() -> Self {
        Self::new().epsilon(1e-3)
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
        Self { epsilon, ..self }
    }

    /// Without shifts.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { affine: Affine::WithoutBias, ..self }
    }

    /// Without scales and shifts.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { affine: Affine::Without, ..self }
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self::new()
    }
}

/// What a layer remembers that normalises rows of values: the statistics of each.
#[derive(Clone, Debug, Default)]
pub struct RowStatistics<T: Real> {
    /// How many values are normalised together.
    pub(super) size: usize,
    pub(super) mean: Buffer<T>,
    /// `1 / √(σ² + ε)`, or what else the values are multiplied with.
    pub(super) inverse: Buffer<T>,
    pub(super) scales: Scales<T>,
    /// Copies of batches that are strided.
    pub(super) copies: [Buffer<T>; 3],
}

impl<T: Real> Layer<T> for LayerNorm {
    type Cache = RowStatistics<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        epsilon::<T>(self.epsilon, input, plan)?;
        let axes = self.axes.of(input, plan)?;
        let (size, scales) = (axes.size(), self.affine.plan(axes, plan)?);
        plan.memory((input.size() / size).saturating_mul(2));
        Ok((input, RowStatistics { size, scales, ..Default::default() }))
    }

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let RowStatistics { size, mean, inverse, scales, copies: [x_copy, y_copy, _] } = cache;
        let (size, n, epsilon) = (*size, T::of(*size as f64), T::of(self.epsilon));
        let [weight, bias] = self.affine.take(scales.size, &mut params, &mut scales.fixed);
        let (mean, inverse) = (room(mean, x.len() / size), room(inverse, x.len() / size));
        let x = packed(x, x_copy);
        fill_packed(y, y_copy, |y| {
            for (row, (x, y)) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).enumerate() {
                let [sum] = vector::sums(
                    [x],
                    #[inline(always)]
                    |[x]| [x],
                );
                let mu = sum / n; //                                         μ = Σ x / n
                let [squares, rest] = vector::sums(
                    [x],
                    #[inline(always)]
                    |[x]| [(x - mu) * (x - mu), x - mu],
                );
                let (mu, variance) = corrected(mu, squares, rest, n); //     σ² = Σ (x - μ)² / n
                let inv = (variance + epsilon).sqrt().recip(); //            1 / √(σ² + ε)
                vector::each(
                    [x, weight, bias],
                    [y],
                    #[inline(always)]
                    |[x, w, b], _| [(x - mu) * inv * w + b], //              y = x̂ w + b, x̂ = (x - μ) / √(σ² + ε)
                );
                (mean[row], inverse[row]) = (mu, inv);
            }
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let Backward { mut params, mut grads, x, dy, dx, cache, .. } = pass;
        let RowStatistics { size, mean, inverse, scales, copies: [x_copy, dy_copy, dx_copy] } = cache;
        let (size, n) = (*size, T::of(*size as f64));
        let [weight, _] = self.affine.take(scales.size, &mut params, &mut scales.fixed);
        let [dw, db] = self.affine.grads(scales.size, &mut grads, &mut scales.spare);
        let (x, dy) = (packed(x, x_copy), packed(dy, dy_copy));
        let rows = x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(mean.iter().zip(inverse.iter()));
        let Some(dx) = dx else {
            for ((x, dy), (&mu, &inv)) in rows {
                vector::each(
                    [x, dy],
                    [dw, db],
                    #[inline(always)]
                    |[x, dy], [dw, db]| [dw + dy * ((x - mu) * inv), db + dy], //    dw = Σ dy x̂, db = Σ dy
                );
            }
            return;
        };
        fill_packed(dx, dx_copy, |dx| {
            for (((x, dy), (&mu, &inv)), dx) in rows.zip(dx.chunks_exact_mut(size)) {
                let [sum, along] = vector::sums(
                    [x, dy, weight],
                    #[inline(always)]
                    |[x, dy, w]| {
                        let da = dy * w; //                                          da = dy w
                        [da, da * ((x - mu) * inv)]
                    },
                );
                let (mean, along) = (sum / n, along / n);
                vector::each(
                    [x, dy, weight],
                    [dx, dw, db],
                    #[inline(always)]
                    |[x, dy, w], [_, dw, db]| {
                        let a = (x - mu) * inv;
                        // dx = (da - mean of da - x̂ · mean of da x̂) / √(σ² + ε)
                        [(dy * w - mean - a * along) * inv, dw + dy * a, db + dy]
                    },
                );
            }
        });
    }
}
