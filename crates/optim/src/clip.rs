use chainrule_core::{Range, describe, described};

use crate::units::scale_units;
use crate::{Bounds, Optimizer, Real, Update, UpdateRule, Whole, vector};

/// Clips by global norm: scales all gradients together so that their Euclidean norm is at most this (Pascanu, Mikolov
/// and Bengio 2013), `g ← g min(1, max / (‖g‖ + 1e-6))`, as PyTorch's `clip_grad_norm_`.
///
/// The norm is over all trained parameters, weights and biases alike, and right also where its square overflows. If a gradient
/// is infinite or NaN, none has a direction that could be kept: then all stay as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipByGlobalNorm(
    /// The maximum norm, above 0.
    pub f64,
);

/// A number above 0, infinity included.
const ABOVE_ZERO: Range = Range::between(0.0, f64::INFINITY, "a number above 0").without_low();

describe! {
    /// Scales all gradients together so that their Euclidean norm is at most a maximum.
    ClipByGlobalNorm = "clip_by_global_norm";
    aliases ["clip_grad_norm", "global_clipnorm"];
    formula "g ← g min(1, max / (‖g‖ + 1e-6)), with the norm of all gradients";
    source "Pascanu, Mikolov and Bengio 2013";
    settings {
        /// The maximum norm.
        0 as "max_norm": 1.0, ABOVE_ZERO;
    }
}

impl Optimizer for ClipByGlobalNorm {
    described!(check_settings);

    fn needs_all_gradients(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        false
    }
}

impl<T: Real> UpdateRule<T> for ClipByGlobalNorm {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let mut square = 0.0;
        whole.for_each_gradient(|grads| square += vector::sum_squares(grads));
        let scale = self.0 / (square.sqrt() + 1e-6);
        if scale >= 1.0 {
            return;
        }
        if square.is_finite() && T::of(scale) >= T::min_positive_value() {
            let scale = T::of(scale);
            return whole.for_each_gradient(|grads| grads.iter_mut().for_each(|g| *g *= scale));
        }
        // g / ‖g‖ = (g / a) / ‖g / a‖, with the largest absolute value a.
        let mut largest = 0.0;
        whole.for_each_gradient(|grads| {
            largest = vector::larger_or_nan(largest, vector::largest(grads).as_f64());
        });
        if !largest.is_finite() {
            return;
        }
        let mut square = 0.0;
        whole.for_each_gradient(|grads| {
            square += grads.iter().map(|g| (g.as_f64() / largest).powi(2)).sum::<f64>();
        });
        let norm = square.sqrt() + 1e-6 / largest;
        if self.0 / largest >= norm {
            return;
        }
        whole.for_each_gradient(|grads| {
            grads.iter_mut().for_each(|g| *g = T::of(g.as_f64() / largest / norm * self.0));
        });
    }

    fn bound(&self, Bounds { grads, .. }: Bounds<'_>) -> f64 {
        *grads
    }

    fn update(&self, _: Update<'_, T>) {}
}

/// Clips each gradient to `-max..=max`, as PyTorch's `clip_grad_value_`. NaN stays NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipByValue(
    /// The maximum absolute value, above 0.
    pub f64,
);

describe! {
    /// Clips each gradient to a maximum absolute value.
    ClipByValue = "clip_by_value";
    aliases ["clip", "clip_grad_value", "clipvalue"];
    formula "g ← min(max(g, -max), max)";
    settings {
        /// The maximum absolute value.
        0 as "max_delta" ("clip_value"): 1.0, ABOVE_ZERO;
    }
}

impl Optimizer for ClipByValue {
    described!(check_settings);

    fn needs_all_gradients(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        false
    }
}

impl<T: Real> UpdateRule<T> for ClipByValue {
    // On all gradients at once, so that it keeps its position among other stages that need them all.
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let max = T::of(self.0);
        whole.for_each_gradient(|grads| {
            for g in grads {
                let below = if *g > max { max } else { *g };
                *g = if below < -max { -max } else { below };
            }
        });
    }

    fn bound(&self, Bounds { grads, .. }: Bounds<'_>) -> f64 {
        *grads = grads.min(self.0);
        *grads
    }

    fn update(&self, _: Update<'_, T>) {}
}

/// Clips the gradient of each parameter to a maximum norm of its own, as Keras' `clipnorm`:
/// `g ← g max / max(‖g‖, max)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipByNorm(
    /// The maximum norm of a parameter's gradient, above 0.
    pub f64,
);

describe! {
    /// Clips the gradient of each parameter to a maximum norm of its own.
    ClipByNorm = "clip_by_norm";
    aliases ["clipnorm", "clip_by_block_norm"];
    formula "g ← g max / max(‖g‖, max), with the norm of the parameter's gradient";
    source "Keras";
    settings {
        /// The maximum norm.
        0 as "max_norm" ("clipnorm"): 1.0, ABOVE_ZERO;
    }
}

impl Optimizer for ClipByNorm {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for ClipByNorm {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        whole.for_each(|Update { grads, .. }| {
            let norm = vector::norm(grads);
            // A gradient that is not finite has no direction that could be kept.
            if norm > self.0 && norm.is_finite() {
                grads.iter_mut().for_each(|g| *g = T::of(g.as_f64() / norm * self.0));
            }
        });
    }

    fn bound(&self, Bounds { grads, .. }: Bounds<'_>) -> f64 {
        *grads
    }

    fn update(&self, _: Update<'_, T>) {}
}

/// Adaptive clipping (Brock et al. 2021): clips the gradient of each unit to a multiple of the norm of its weights,
/// `g ← g λ max(‖w‖, ε) / ‖g‖` where `‖g‖` is larger than that.
///
/// A unit is a column of the weight `[inputs, units]` of a dense layer, a kernel of a convolution, or a whole vector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveClip {
    /// The maximum ratio of the gradient's norm to that of the weights, λ.
    pub clipping: f64,
    /// The norm that weights have at least, ε, so that those which are 0 can move.
    pub epsilon: f64,
}

describe! {
    /// Clips the gradient of each unit to a multiple of the norm of its weights.
    AdaptiveClip = "adaptive_clip";
    aliases ["adaptive_grad_clip", "agc"];
    formula "g ← g min(1, λ max(‖w‖, ε) / ‖g‖), with the norms of a unit";
    source "Brock et al. 2021, equation 3";
    settings {
        /// The maximum ratio of the gradient's norm to that of the weights, λ.
        clipping: 0.01, Range::POSITIVE;
        /// The norm that weights have at least, ε.
        epsilon as "eps": 1e-3, Range::POSITIVE;
    }
}

impl Optimizer for AdaptiveClip {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for AdaptiveClip {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let &Self { clipping, epsilon } = self;
        whole.for_each(|Update { parameter, params, grads, .. }| {
            let Some(parameter) = parameter else { return };
            scale_units(parameter, params, grads, |[weights, gradient]| {
                let max = clipping * weights.max(epsilon);
                if gradient < max || !gradient.is_finite() { 1.0 } else { max / gradient.max(1e-6) }
            });
        });
    }

    fn bound(&self, Bounds { grads, .. }: Bounds<'_>) -> f64 {
        *grads
    }

    fn update(&self, _: Update<'_, T>) {}
}
