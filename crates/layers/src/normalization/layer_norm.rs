//! Layer normalisation.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, Value, described, entry,
};
use chainrule_tensor::vector::{RowInput, map_and_sum_rows, map_rows, sums_of_rows};
use chainrule_tensor::{Real, Shape, each};

use super::normalized_axes::NormalizedAxes;
use super::row_blocks::BLOCK;
use super::row_norm_cache::{NormalizedRows, RowNormCache};
use super::scale_shift::ScaleShift;
use super::scratch::scratch;
use super::statistics::{ChannelMoments, blocks_of, check_count, check_epsilon};
use crate::contiguous::{contiguous, write_contiguous};

/// `y = (x - μ) / √(σ² + ε) w + b`, with the mean `μ` and the variance `σ²` of the values of a sample along its
/// last axes, and a scale `w` and a shift `b` for each of these values (Ba, Kiros and Hinton 2016, "Layer
/// normalization"; PyTorch's `LayerNorm`).
///
/// [`new`](Self::new) normalises over the last axis, so `[steps, features]` over the features of each step, with
/// `ε = 10⁻⁵`; [`keras`](Self::keras) has Keras' `10⁻³`. Where all values are equal, the output is the shift.
/// A single value is refused in `plan`, since nothing would be left of it.
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
    axes: NormalizedAxes,
    epsilon: f64,
    scale_shift: ScaleShift,
}

impl Described for LayerNorm {
    const ENTRY: Entry = entry! {
        /// Normalises the values along the last axes of a sample.
        LayerNorm = "layer_norm";
        aliases ["layer_normalization"];
        formula "y = (x - μ) / √(σ² + ε) w + b";
        source "Ba, Kiros and Hinton 2016";
        settings {
            /// How many of the last axes, or `all`.
            axes: 1;
            /// The term that keeps the denominator above 0, ε.
            epsilon ("eps"): 1e-5, Range::POSITIVE;
            /// Whether there are scales w and shifts b.
            affine ("elementwise_affine"): true;
            /// Whether there are shifts b.
            bias: true;
        }
        presets { keras { epsilon = 0.001 } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let scale_shift = ScaleShift::of(settings.get("affine")?, settings.get("bias")?);
        Ok(Self { axes: settings.get("axes")?, epsilon: settings.get("epsilon")?, scale_shift })
    }

    fn setting_values(&self) -> Vec<Value> {
        let [affine, bias] = self.scale_shift.values();
        vec![self.axes.to_value(), self.epsilon.into(), affine, bias]
    }
}

impl LayerNorm {
    /// Over the last axis.
    pub fn new() -> Self {
        Self { axes: NormalizedAxes::Last(1), epsilon: 1e-5, scale_shift: ScaleShift::Full }
    }

    /// With Keras' epsilon.
    pub fn keras() -> Self {
        Self::new().epsilon(1e-3)
    }

    /// Over this many of the last axes.
    #[must_use]
    pub fn axes(self, count: usize) -> Self {
        Self { axes: NormalizedAxes::Last(count), ..self }
    }

    /// Over all axes: all values of a sample.
    #[must_use]
    pub fn all_axes(self) -> Self {
        Self { axes: NormalizedAxes::All, ..self }
    }

    /// Another `ε`.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// Without shifts.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { scale_shift: ScaleShift::WithoutBias, ..self }
    }

    /// Without scales and shifts.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { scale_shift: ScaleShift::Without, ..self }
    }
}

impl Default for LayerNorm {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Real> Layer<T> for LayerNorm {
    type Cache = RowNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        check_epsilon::<T>(self.epsilon, input, plan)?;
        let axes = self.axes.of(input, plan)?;
        let size = axes.size();
        check_count(size, input, plan)?;
        let scale_shift = self.scale_shift.plan(axes, plan)?;
        plan.memory((input.size() / size).saturating_mul(3));
        Ok((input, RowNormCache { size, scale_shift, ..Default::default() }))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let RowNormCache { size, base, offset, inverse, scale_shift, copies: [x_copy, y_copy, _], .. } =
            cache;
        let size = *size;
        let epsilon = T::of(self.epsilon);
        let [weight, bias] =
            self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let [bases, offsets, inverses] =
            [base, offset, inverse].map(|buffer| scratch(buffer, x.len() / size));
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            for block in blocks_of(0..x.len() / size, size) {
                let values = block.start * size..block.end * size;
                let (x, y) = (&x[values.clone()], &mut y[values]);
                let [base, offset, inverse] =
                    [&mut *bases, offsets, inverses].map(|of_rows| &mut of_rows[block.clone()]);
                // μ = base + offset, and 1 / √(σ² + ε) in place of σ²
                let moments =
                    ChannelMoments { base: &mut *base, offset: &mut *offset, variance: &mut *inverse };
                moments.overwrite_for_rows(size, x, epsilon);
                map_rows(
                    size,
                    [RowInput::Matrix(x), RowInput::Row(weight), RowInput::Row(bias)],
                    [&*base, &*offset, &*inverse],
                    y,
                    // y = x̂ w + b, x̂ = (x - μ) / √(σ² + ε)
                    #[inline(always)]
                    |[x, w, b], [base, offset, inv]| (x - base - offset) * inv * w + b,
                );
            }
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let size = pass.cache.size;
        let n = T::of(size as f64);
        RowNormCache::backward(
            pass,
            self.scale_shift,
            |NormalizedRows { x, dy, base, offset, inv, .. }, [dw, db]| {
                for (row, (x, dy)) in x.chunks_exact(size).zip(dy.chunks_exact(size)).enumerate() {
                    let (base, offset, inv) = (base[row], offset[row], inv[row]);
                    // dw = Σ dy x̂, db = Σ dy
                    each!([dw, db] = |x, dy| [dw + dy * ((x - base - offset) * inv), db + dy]);
                }
            },
            |NormalizedRows { x, dy, weight, base, offset, inv }, dx, sums| {
                let inputs = [RowInput::Matrix(x), RowInput::Matrix(dy), RowInput::Row(weight)];
                let (mut mean, mut along) = ([T::zero(); BLOCK], [T::zero(); BLOCK]);
                let (mean, along) = (&mut mean[..inv.len()], &mut along[..inv.len()]);
                // Means of da and of da x̂, da = dy w
                sums_of_rows(
                    size,
                    inputs,
                    [base, offset, inv],
                    [&mut *mean, &mut *along],
                    #[inline(always)]
                    |[x, dy, w], [base, offset, inv]| [dy * w, dy * w * ((x - base - offset) * inv)],
                );
                each!([mean, along] = [mean / n, along / n]);
                // dx = (da - mean of da - x̂ · mean of da x̂) / √(σ² + ε), dw = Σ dy x̂, db = Σ dy
                map_and_sum_rows(
                    size,
                    inputs,
                    [base, offset, inv, &*mean, &*along],
                    dx,
                    sums,
                    #[inline(always)]
                    |[x, dy, w], [base, offset, inv, mean, along]| {
                        let a = (x - base - offset) * inv;
                        ((dy * w - mean - a * along) * inv, [dy * a, dy])
                    },
                );
            },
        );
    }
}
