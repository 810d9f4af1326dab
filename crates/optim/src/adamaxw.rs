use chainrule_core::{
    Described, DescriptionError, Entry, Range, SettingCheck, SettingValue, Settings, Value, described, entry,
};

use crate::decay::Decay;
use crate::{Adamax, Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule, adamax};

/// Adamax with decoupled weight decay: `p ← p - η λ p`, then the step of [`Adamax`].
///
/// Defaults are optax': λ 1e-4 and those of [`Adamax`]. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct AdamaxW {
    adamax: Adamax,
    decay: f64,
}

impl Described for AdamaxW {
    const ENTRY: Entry = entry! {
        /// AdamaxW: Adamax with decoupled weight decay.
        AdamaxW = "adamaxw";
        formula "p ← p - η λ p - η m̂ / max(β₂ u, |g| + ε)";
        source "Kingma and Ba 2015, algorithm 2; Loshchilov and Hutter 2019";
        settings {
            /// The learning rate η: a number or a schedule.
            lr ("learning_rate"): 0.002;
            /// The decay rates β₁ of the mean and β₂ of the maximum.
            betas: [0.9, 0.999], Range::FRACTION;
            /// The term ε that keeps the denominator above 0.
            eps ("epsilon"): 1e-8, Range::POSITIVE;
            /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
            weight_decay: 1e-4, Range::NOT_NEGATIVE;
        }
    };

    fn from_settings(settings: &Settings<'_>) -> Result<Self, DescriptionError> {
        let adamax = Adamax {
            rate: settings.get("lr")?,
            betas: settings.get("betas")?,
            epsilon: settings.get("eps")?,
            weight_decay: 0.0,
            epsilon_after_maximum: false,
        };
        Ok(Self { adamax, decay: settings.get("weight_decay")? })
    }

    fn setting_values(&self) -> Vec<Value> {
        let Adamax { rate, betas, epsilon, .. } = &self.adamax;
        vec![rate.to_value(), betas.to_value(), epsilon.to_value(), self.decay.to_value()]
    }
}

/// Adamax with decoupled weight decay and this learning rate; often 2e-3.
pub fn adamaxw(rate: impl Schedule + 'static) -> AdamaxW {
    AdamaxW { adamax: adamax(rate), decay: 1e-4 }
}

impl AdamaxW {
    /// The weight decay λ; it is multiplied by the learning rate.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }

    /// See [`Adamax::betas`].
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self { adamax: self.adamax.betas(beta1, beta2), ..self }
    }

    /// See [`Adamax::epsilon`].
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { adamax: self.adamax.epsilon(epsilon), ..self }
    }

    fn decay(&self, step: Step) -> Decay {
        Decay::decoupled(self.decay, self.adamax.rate.rate(step))
    }
}

impl Optimizer for AdamaxW {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.adamax.rate);
    }
}

impl<T: Real> UpdateRule<T> for AdamaxW {
    fn update(&self, pass: Update<'_, T>) {
        let decay = self.decay(pass.step);
        self.adamax.advance(pass, decay);
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        let decay = self.decay(bounds.step);
        self.adamax.bound_of::<T>(bounds, decay)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("AdamaxW").epsilon::<T>(self.adamax.epsilon)
    }
}
