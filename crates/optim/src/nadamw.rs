use chainrule_core::{
    Described, DescriptionError, Entry, Range, SettingCheck, SettingValue, Settings, Value, described, entry,
};

use crate::{Bounds, Nadam, Optimizer, Real, Schedule, SettingError, Update, UpdateRule, nadam};

/// Nadam with decoupled weight decay: `p ← p - η λ p`, then the step of [`Nadam`].
///
/// Defaults are optax': λ 1e-4, and a momentum that does not grow, ψ = ∞. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct NadamW(Nadam);

impl Described for NadamW {
    const ENTRY: Entry = entry! {
        /// NadamW: Nadam with decoupled weight decay.
        NadamW = "nadamw";
        formula "p ← p - η λ p - η ((1 - β₁) g / (1 - β₁ᵗ) + β₁ m / (1 - β₁ᵗ⁺¹)) / (√v̂ + ε)";
        source "Dozat 2016; Loshchilov and Hutter 2019";
        settings {
            /// The learning rate η: a number or a schedule.
            lr ("learning_rate"): 0.002;
            /// The decay rates β₁, β₂ of the two means.
            betas: [0.9, 0.999], Range::FRACTION;
            /// The term ε that keeps the denominator above 0.
            eps ("epsilon"): 1e-8, Range::POSITIVE;
            /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
            weight_decay: 1e-4, Range::NOT_NEGATIVE;
            /// How fast the momentum grows to β₁, ψ; with infinity it is β₁ from the beginning.
            momentum_decay: inf, Range::between(0.0, f64::INFINITY, "at least 0");
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        Ok(Self(Nadam {
            rate: settings.get("lr")?,
            betas: settings.get("betas")?,
            epsilon: settings.get("eps")?,
            weight_decay: settings.get("weight_decay")?,
            momentum_decay: settings.get("momentum_decay")?,
            decoupled_weight_decay: true,
        }))
    }

    fn setting_values(&self) -> Vec<Value> {
        let Nadam { rate, betas, epsilon, weight_decay, momentum_decay, .. } = &self.0;
        let numbers = [*epsilon, *weight_decay, *momentum_decay];
        [rate.to_value(), betas.to_value()].into_iter().chain(numbers.map(Value::Number)).collect()
    }
}

/// Nadam with decoupled weight decay and this learning rate; often 2e-3.
pub fn nadamw(rate: impl Schedule + 'static) -> NadamW {
    NadamW(nadam(rate).momentum_decay(f64::INFINITY).decoupled_weight_decay(1e-4))
}

impl NadamW {
    /// The weight decay λ; it is multiplied by the learning rate.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Self {
        Self(self.0.decoupled_weight_decay(decay))
    }

    /// See [`Nadam::betas`].
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self(self.0.betas(beta1, beta2))
    }

    /// See [`Nadam::epsilon`].
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self(self.0.epsilon(epsilon))
    }

    /// See [`Nadam::momentum_decay`].
    #[must_use]
    pub fn momentum_decay(self, psi: f64) -> Self {
        Self(self.0.momentum_decay(psi))
    }
}

impl Optimizer for NadamW {
    described!(check_settings);

    fn slots(&self) -> usize {
        self.0.slots()
    }

    fn uses_kind(&self) -> bool {
        self.0.uses_kind()
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        self.0.schedules(visit);
    }
}

impl<T: Real> UpdateRule<T> for NadamW {
    fn update(&self, pass: Update<'_, T>) {
        self.0.update(pass);
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        UpdateRule::<T>::bound(&self.0, bounds)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("NadamW").epsilon::<T>(self.0.epsilon)
    }
}
