//! Constraints: stages after an optimizer, which put the weights back into a set.
//!
//! They act on [`ParamKind::Weight`] only; for some of the weights, put them into a group of [`Groups`](crate::Groups). A norm is
//! that of a unit: of a column of the weight `[inputs, units]` of a dense layer, of a kernel of a convolution.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::units::scale_units;
use crate::{Bounds, Optimizer, ParamKind, Real, SettingError, Update, UpdateRule};

/// What Keras adds to a norm before it divides by it.
const EPSILON: f64 = 1e-7;

/// No unit has a norm above this maximum: `w ← w min(‖w‖, max) / (ε + ‖w‖)` (Srebro and Shraibman 2005), with ε = 1e-7 as in
/// Keras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxNorm(
    /// The maximum norm of a unit.
    pub f64,
);

describe! {
    /// Keeps the norm of each unit's weights below a maximum.
    MaxNorm = "max_norm";
    formula "w ← w min(‖w‖, max) / (ε + ‖w‖)";
    source "Srebro and Shraibman 2005; Keras";
    settings {
        /// The maximum norm.
        0 as "max_value": 2.0, Range::NOT_NEGATIVE;
    }
}

impl Optimizer for MaxNorm {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for MaxNorm {
    fn update(&self, pass: Update<'_, T>) {
        constrain(pass, |norm| norm.min(self.0) / (EPSILON + norm));
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        *bounds.params
    }
}

/// No unit has a norm outside of `[min, max]`: `w ← w (ρ clip(‖w‖, min, max) + (1 - ρ) ‖w‖) / (ε + ‖w‖)`, as in Keras, with
/// ε = 1e-7.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MinMaxNorm {
    /// The minimum norm.
    pub min: f64,
    /// The maximum norm.
    pub max: f64,
    /// How much of the way back is gone in a step, ρ.
    pub rate: f64,
}

describe! {
    /// Keeps the norm of each unit's weights between a minimum and a maximum.
    MinMaxNorm = "min_max_norm";
    formula "w ← w (ρ clip(‖w‖, min, max) + (1 - ρ) ‖w‖) / (ε + ‖w‖)";
    source "Keras";
    settings {
        /// The minimum norm.
        min as "min_value": 0.0, Range::NOT_NEGATIVE;
        /// The maximum norm.
        max as "max_value": 1.0, Range::NOT_NEGATIVE;
        /// How much of the way back is gone in a step, ρ.
        rate: 1.0, Range::UNIT;
    }
}

impl Optimizer for MinMaxNorm {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for MinMaxNorm {
    fn update(&self, pass: Update<'_, T>) {
        let &Self { min, max, rate } = self;
        constrain(pass, |norm| (rate * norm.max(min).min(max) + (1.0 - rate) * norm) / (EPSILON + norm));
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        *bounds.params += self.max.max(self.min);
        *bounds.params
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        if self.min > self.max {
            let conflict = "the minimum norm is above the maximum norm";
            return Err(SettingError::Conflict { owner: "MinMaxNorm", conflict });
        }
        Ok(())
    }
}

/// Each unit has the norm 1: `w ← w / (ε + ‖w‖)`, with ε = 1e-7 as in Keras.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UnitNorm;

describe! {
    /// Gives the weights of each unit the norm 1.
    UnitNorm = "unit_norm";
    formula "w ← w / (ε + ‖w‖)";
    source "Keras";
}

impl Optimizer for UnitNorm {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for UnitNorm {
    fn update(&self, pass: Update<'_, T>) {
        constrain(pass, |norm| 1.0 / (EPSILON + norm));
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        // Of biases and of weights.
        *bounds.params = bounds.params.max(1.0);
        *bounds.params / EPSILON
    }
}

/// Multiplies each unit of a weight by a factor of its norm.
fn constrain<T: Real>(pass: Update<'_, T>, factor: impl Fn(f64) -> f64) {
    let Some(parameter) = pass.parameter.filter(|parameter| parameter.kind == ParamKind::Weight) else {
        return;
    };
    scale_units(parameter, &[], pass.params, |[_, norm]| factor(norm));
}

/// No weight is negative: `w ← max(w, 0)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct NonNegative;

describe! {
    /// Keeps all weights at 0 or above.
    NonNegative = "non_neg";
    aliases ["non_negative", "keep_params_nonnegative"];
    formula "w ← max(w, 0)";
    source "Keras";
}

impl Optimizer for NonNegative {
    described!(check_settings);
}

impl<T: Real> UpdateRule<T> for NonNegative {
    fn update(&self, Update { kind, params: p, .. }: Update<'_, T>) {
        if kind == ParamKind::Weight {
            let zero = T::zero();
            each!(p = if p < zero { zero } else { p }); // NaN stays NaN
        }
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        *bounds.params
    }
}
