use std::sync::Arc;

use crate::vector::AdamStep;
use crate::{Optimizer, Real, Schedule, SettingError, Update, vector};
use chainrule_core::SettingCheck;

/// Adam (Kingma and Ba 2015, algorithm 1).
///
/// ```text
/// m ← β₁ m + (1 - β₁) g          m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²         v̂ = v / (1 - β₂ᵗ)
/// p ← p - η m̂ / (√v̂ + ε)
/// ```
///
/// Defaults are PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8. For weight decay see [`AdamW`](crate::AdamW); for the
/// coupled decay of PyTorch's `Adam` put [`WeightDecay`](crate::WeightDecay) before it.
#[derive(Clone, Debug)]
pub struct Adam {
    pub(crate) rate: Arc<dyn Schedule>,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    uncorrected_epsilon: bool,
}

/// Adam with this learning rate; often 1e-3.
pub fn adam(rate: impl Schedule + 'static) -> Adam {
    Adam { rate: Arc::new(rate), beta1: 0.9, beta2: 0.999, epsilon: 1e-8, uncorrected_epsilon: false }
}

impl Adam {
    /// The shares β₁ and β₂ of the two running means that are kept, both in `[0, 1)`.
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self { beta1, beta2, ..self }
    }

    /// The least denominator ε, above 0.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// As Keras has it: ε is 1e-7, and is added to √v before v's correction instead of to √v̂ (the ε̂ at the
    /// end of section 2 of the paper), which makes it weigh more in the first steps.
    #[must_use]
    pub fn keras(self) -> Self {
        Self { epsilon: 1e-7, uncorrected_epsilon: true, ..self }
    }

    /// One step in which the parameters are first multiplied by `shrink`.
    #[inline]
    pub(crate) fn advance<T: Real>(&self, pass: Update<'_, T>, shrink: f64) {
        let (rate, t) = (self.rate.rate(pass.step), pass.step as f64 + 1.0);
        // m̂ / (√v̂ + ε) = m step / (√v + least), with both corrections taken out of the loop.
        let correction = (1.0 - self.beta2.powf(t)).sqrt();
        let step = rate * correction / (1.0 - self.beta1.powf(t));
        let least = if self.uncorrected_epsilon { self.epsilon } else { self.epsilon * correction };
        let [rate, least, shrink] = [step, least, shrink].map(T::of);
        let rests = [1.0 - self.beta1, 1.0 - self.beta2].map(T::of);
        let (params, grads, means) = pass.split();
        vector::adam(AdamStep { rests, rate, least, shrink }, params, grads, means);
    }

    pub(crate) fn check<T: Real>(&self, settings: &SettingCheck) -> Result<(), SettingError> {
        self.rate.validate()?;
        settings.fraction("beta1", self.beta1)?;
        settings.fraction("beta2", self.beta2)?;
        settings.epsilon::<T>(self.epsilon)
    }
}

impl<T: Real> Optimizer<T> for Adam {
    fn slots(&self) -> usize {
        2
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn update(&self, pass: Update<'_, T>) {
        self.advance(pass, 1.0);
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.check::<T>(&SettingCheck("Adam"))
    }
}
