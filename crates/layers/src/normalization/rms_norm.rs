//! Root-mean-square normalisation.

use chainrule_core::{
    Backward, Described, DescriptionError, Entry, Forward, Layer, Plan, Range, SettingValue, Settings,
    ShapeError, Value, described, entry,
};
use chainrule_tensor::vector::{RowInput, map_and_sum_rows, sums_of_rows};
use chainrule_tensor::{Real, Shape, each, sums};

use super::normalized_axes::NormalizedAxes;
use super::row_blocks::BLOCK;
use super::row_norm_cache::{NormalizedRows, RowNormCache};
use super::scale_shift::ScaleShift;
use super::scratch::scratch;
use super::statistics::check_epsilon;
use super::wide::wide_root;
use crate::contiguous::{contiguous, write_contiguous};

/// `y = x / √(mean of x² + ε) w`, with the mean over the values of a sample along its last axes, and a scale `w` for
/// each of these values (Zhang and Sennrich 2019, "Root mean square layer normalization"; PyTorch's `RMSNorm`).
///
/// [`new`](Self::new) normalises over the last axis, so `[steps, features]` over the features of each step. As in
/// PyTorch, `ε` is the distance from 1 to the next number of the model's precision; [`keras`](Self::keras) has Keras'
/// `10⁻⁶`.
#[derive(Clone, Copy, Debug)]
pub struct RmsNorm {
    axes: NormalizedAxes,
    epsilon: Option<f64>,
    scale_shift: ScaleShift,
}

impl Described for RmsNorm {
    const ENTRY: Entry = entry! {
        /// Divides the values along the last axes of a sample by their root mean square.
        RmsNorm = "rms_norm";
        aliases ["rms_normalization"];
        formula "y = x / √(mean(x²) + ε) w";
        source "Zhang and Sennrich 2019";
        settings {
            /// How many of the last axes, or `all`.
            axes: 1;
            /// The term that keeps the denominator above 0, ε; by default the precision of the numbers.
            epsilon ("eps"): none, Range::POSITIVE;
            /// Whether there are scales w.
            affine ("elementwise_affine"): true;
        }
        presets { keras { epsilon = 1e-6 } }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let scale_shift = ScaleShift::of(settings.get("affine")?, false);
        Ok(Self { axes: settings.get("axes")?, epsilon: settings.get("epsilon")?, scale_shift })
    }

    fn setting_values(&self) -> Vec<Value> {
        let [affine, _] = self.scale_shift.values();
        vec![self.axes.to_value(), self.epsilon.to_value(), affine]
    }
}

impl RmsNorm {
    /// Over the last axis.
    pub fn new() -> Self {
        Self { axes: NormalizedAxes::Last(1), epsilon: None, scale_shift: ScaleShift::WithoutBias }
    }

    /// With Keras' epsilon.
    pub fn keras() -> Self {
        Self::new().epsilon(1e-6)
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
        Self { epsilon: Some(epsilon), ..self }
    }

    /// Without scales.
    #[must_use]
    pub fn without_affine(self) -> Self {
        Self { scale_shift: ScaleShift::Without, ..self }
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
    type Cache = RowNormCache<T>;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, Self::Cache), ShapeError> {
        check_epsilon::<T>(self.epsilon_of::<T>(), input, plan)?;
        let axes = self.axes.of(input, plan)?;
        let size = axes.size();
        let scale_shift = self.scale_shift.plan(axes, plan)?;
        plan.memory(input.size() / size);
        Ok((input, RowNormCache { size, scale_shift, ..Default::default() }))
    }

    described!();

    fn forward(&self, Forward { mut params, x, y, cache, .. }: Forward<'_, T, Self::Cache>) {
        let RowNormCache { size, inverse, scale_shift, copies: [x_copy, y_copy, _], .. } = cache;
        let size = *size;
        let n = T::of(size as f64);
        let epsilon = T::of(self.epsilon_of::<T>());
        let [weight, _] = self.scale_shift.params(scale_shift.size, &mut params, &mut scale_shift.defaults);
        let inverse = scratch(inverse, x.len() / size);
        let x = contiguous(x, x_copy);
        write_contiguous(y, y_copy, |y| {
            for ((x, y), inverse) in x.chunks_exact(size).zip(y.chunks_exact_mut(size)).zip(inverse) {
                let [squares] = sums!(|x| [x * x]);
                let mut inv = (squares / n + epsilon).sqrt().recip(); // 1 / √(Σ x² / n + ε)
                if !squares.is_finite() {
                    inv = wide_root(x, n, epsilon);
                }
                each!(y = |x, w: weight| x * inv * w); //                y = x̂ w
                *inverse = inv;
            }
        });
    }

    fn backward(&self, pass: Backward<'_, T, Self::Cache>) {
        let size = pass.cache.size;
        let n = T::of(size as f64);
        RowNormCache::backward(
            pass,
            self.scale_shift,
            |NormalizedRows { x, dy, inv, .. }, [dw, _]| {
                for ((x, dy), &inv) in x.chunks_exact(size).zip(dy.chunks_exact(size)).zip(inv) {
                    each!(dw = |x, dy| dw + dy * (x * inv)); // dw = Σ dy x̂
                }
            },
            |NormalizedRows { x, dy, weight, inv, .. }, dx, [dw, _]| {
                let inputs = [RowInput::Matrix(x), RowInput::Matrix(dy), RowInput::Row(weight)];
                let mut along = [T::zero(); BLOCK];
                let along = &mut along[..inv.len()];
                // The mean of da x̂, da = dy w
                sums_of_rows(
                    size,
                    inputs,
                    [inv],
                    [&mut *along],
                    #[inline(always)]
                    |[x, dy, w], [inv]| [dy * w * (x * inv)],
                );
                each!(along = along / n);
                // dx = (da - x̂ · mean of da x̂) / √(...), dw = Σ dy x̂
                map_and_sum_rows(
                    size,
                    inputs,
                    [inv, &*along],
                    dx,
                    [dw],
                    #[inline(always)]
                    |[x, dy, w], [inv, along]| {
                        let a = x * inv;
                        ((dy * w - a * along) * inv, [dy * a])
                    },
                );
            },
        );
    }
}
