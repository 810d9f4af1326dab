use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// Adamax (Kingma and Ba 2015, algorithm 2): Adam with the largest recent gradient in place of the root mean square.
///
/// ```text
/// g ← g + λ p                                weight decay
/// m ← β₁ m + (1 - β₁) g                      m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// u ← max(β₂ u, |g| + ε)
/// p ← p - η m̂ / u
/// ```
///
/// Defaults are PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only. For
/// decoupled decay see [`AdamaxW`](crate::AdamaxW).
#[derive(Clone, Debug)]
pub struct Adamax {
    pub(crate) rate: Arc<dyn Schedule>,
    pub(crate) betas: [f64; 2],
    pub(crate) epsilon: f64,
    pub(crate) weight_decay: f64,
    pub(crate) epsilon_after_maximum: bool,
}

describe! {
    /// Adamax: Adam with the largest recent gradient in place of the root mean square.
    Adamax = "adamax";
    formula "p ← p - η m̂ / max(β₂ u, |g| + ε)";
    source "Kingma and Ba 2015, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.002;
        /// The decay rates β₁ of the mean and β₂ of the maximum.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// Whether ε is added to the maximum, as in Keras, and not to the gradient.
        epsilon_after_maximum: false;
    }
    presets { keras { lr = 1e-3, eps = 1e-7, epsilon_after_maximum = true } }
}

/// Adamax with this learning rate; often 2e-3.
pub fn adamax(rate: impl Schedule + 'static) -> Adamax {
    let rate = Arc::new(rate);
    Adamax { rate, betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0, epsilon_after_maximum: false }
}

setters! { Adamax;
    /// The decay rates β₁ of the mean and β₂ of the maximum, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay;
    /// Keras' defaults: ε is 1e-7 and is added to the maximum, `p ← p - η m̂ / (u + ε)`, instead of to the gradient.
    keras() => epsilon = 1e-7, epsilon_after_maximum = true;
}

impl Adamax {
    /// One step with this decay.
    pub(crate) fn advance<T: Real>(&self, pass: Update<'_, T>, decay: Decay) {
        let [decay, lost] = decay.numbers::<T>(pass.kind);
        let [beta1, beta2] = self.betas;
        let rate = self.rate.rate(pass.step) / correction(beta1, pass.step.number());
        let [inside, outside] =
            if self.epsilon_after_maximum { [0.0, self.epsilon] } else { [self.epsilon, 0.0] };
        let [rate, new, beta2, inside, outside] = [rate, 1.0 - beta1, beta2, inside, outside].map(T::of);
        let (p, grads, [m, u]) = pass.split();
        each!(
            [p, m, u] = |g: grads| {
                let g = g + decay * p;
                let m = m + new * (g - m);
                let [old, now] = [beta2 * u, g.abs() + inside];
                let u = if old > now { old } else { now }; // NaN stays NaN
                [p - (lost * p + rate * (m / (u + outside))), m, u]
            }
        );
    }

    /// [`UpdateRule::bound`] of such a step.
    pub(crate) fn bound_of<T: Real>(&self, bounds: Bounds<'_>, decay: Decay) -> f64 {
        let Bounds { step, params, grads, state } = bounds;
        let [m, u] = state else { return f64::INFINITY };
        let g = decay.bound(params, *grads);
        let all = *m + g;
        mean_bound(u, g + self.epsilon);
        let change = quotient_bound::<T>(mean_bound(m, g), self.epsilon);
        *params += self.rate.rate(step) / correction(self.betas[0], step.number()) * change;
        params.max(change).max(all).max(*u + self.epsilon)
    }
}

impl Optimizer for Adamax {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Adamax {
    fn update(&self, pass: Update<'_, T>) {
        self.advance(pass, Decay::coupled(self.weight_decay));
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        self.bound_of::<T>(bounds, Decay::coupled(self.weight_decay))
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Adamax").epsilon::<T>(self.epsilon)
    }
}
