use chainrule_core::{
    Described, DescriptionError, Entry, Range, SettingCheck, SettingValue, Settings, Value, described, entry,
};

use crate::{
    Adam, Bounds, Optimizer, ParamKind, Real, Schedule, SettingError, Step, Update, UpdateRule, adam,
};

/// Adam with decoupled weight decay (Loshchilov and Hutter 2019): `p ← p - η λ p`, then Adam's step.
///
/// Defaults are PyTorch's: λ 0.01 and those of [`Adam`]. Unlike PyTorch's, λ applies to [`ParamKind::Weight`] only:
/// biases and the scales of normalisation are not decayed, which PyTorch users set up by hand.
#[derive(Clone, Debug)]
pub struct AdamW {
    adam: Adam,
    decay: f64,
}

impl Described for AdamW {
    const ENTRY: Entry = entry! {
        /// AdamW: Adam with decoupled weight decay.
        AdamW = "adamw";
        formula "p ← p - η λ p - η m̂ / (√v̂ + ε)";
        source "Loshchilov and Hutter 2019, algorithm 2";
        settings {
            /// The learning rate η: a number or a schedule.
            lr ("learning_rate"): 0.001;
            /// The decay rates β₁, β₂ of the two means.
            betas: [0.9, 0.999], Range::FRACTION;
            /// The term ε that keeps the denominator above 0.
            eps ("epsilon"): 1e-8, Range::POSITIVE;
            /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
            weight_decay: 0.01, Range::NOT_NEGATIVE;
            /// Whether the largest v̂ so far is in the denominator, as in AMSGrad.
            amsgrad: false;
            /// Whether ε is added before the correction, as in Keras.
            uncorrected_epsilon: false;
        }
        presets {
            keras { eps = 1e-7, weight_decay = 0.004, uncorrected_epsilon = true }
            optax { weight_decay = 1e-4 }
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let adam = Adam {
            rate: settings.get("lr")?,
            betas: settings.get("betas")?,
            epsilon: settings.get("eps")?,
            weight_decay: 0.0,
            amsgrad: settings.get("amsgrad")?,
            uncorrected_epsilon: settings.get("uncorrected_epsilon")?,
        };
        Ok(Self { adam, decay: settings.get("weight_decay")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        let Adam { rate, betas, epsilon, amsgrad, uncorrected_epsilon, .. } = &self.adam;
        vec![
            rate.to_value(),
            betas.to_value(),
            epsilon.to_value(),
            self.decay.to_value(),
            amsgrad.to_value(),
            uncorrected_epsilon.to_value(),
        ]
    }
}

/// AdamW with this learning rate; often 1e-3.
pub fn adamw(rate: impl Schedule + 'static) -> AdamW {
    AdamW { adam: adam(rate), decay: 0.01 }
}

impl AdamW {
    /// The weight decay λ; it is multiplied by the learning rate.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// See [`Adam::betas`].
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self { adam: self.adam.betas(beta1, beta2), ..self }
    }

    /// See [`Adam::epsilon`].
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { adam: self.adam.epsilon(epsilon), ..self }
    }

    /// See [`Adam::amsgrad`].
    #[must_use]
    pub fn amsgrad(self) -> Self {
        Self { adam: self.adam.amsgrad(), ..self }
    }

    /// What the parameters are multiplied by in a step with this decay.
    fn shrink(&self, step: Step, decay: f64) -> f64 {
        1.0 - self.adam.rate.rate(step) * decay
    }

    /// Keras' defaults: those of [`Adam::keras`], and λ is 0.004.
    #[must_use]
    pub fn keras(self) -> Self {
        Self { adam: self.adam.keras(), decay: 0.004 }
    }
}

impl Optimizer for AdamW {
    described!(check_settings);

    fn slots(&self) -> usize {
        self.adam.slots()
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.adam.rate);
    }
}

impl<T: Real> UpdateRule<T> for AdamW {
    fn update(&self, pass: Update<'_, T>) {
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let shrink = self.shrink(pass.step, decay);
        self.adam.advance(pass, shrink);
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        // Of those that are decayed and those that are not.
        let shrink = self.shrink(bounds.step, self.decay).abs().max(1.0);
        self.adam.bound_of::<T>(bounds, shrink)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("AdamW").epsilon::<T>(self.adam.epsilon)
    }
}
