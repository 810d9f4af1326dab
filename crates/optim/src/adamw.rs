use chainrule_core::SettingCheck;

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
    fn slots(&self) -> usize {
        2
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

    fn validate(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("AdamW");
        self.adam.check::<T>(&settings)?;
        settings.not_negative("weight decay", self.decay)
    }
}
