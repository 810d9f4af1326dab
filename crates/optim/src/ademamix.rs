use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// AdEMAMix (Pagliardini, Ablin and Grangier 2024, algorithm 1): Adam with a second, much slower mean of the gradients.
///
/// ```text
/// p ← p - η λ p                                      weight decay
/// m ← β₁ m + (1 - β₁) g                              m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²                             v̂ = v / (1 - β₂ᵗ)
/// s ← β₃ s + (1 - β₃) g
/// p ← p - η (m̂ + α s) / (√v̂ + ε)
/// ```
///
/// Defaults are optax': β 0.9, 0.999, 0.9999, α 5, ε 1e-8, no decay. With a warm-up of T steps α grows in proportion to t, and β₃
/// from β₁, so that its half-life grows in proportion to t (section 3 of the paper, which recommends T = all steps). λ applies
/// to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct AdEmaMix {
    rate: Arc<dyn Schedule>,
    betas: [f64; 3],
    alpha: f64,
    epsilon: f64,
    weight_decay: f64,
    warmup_steps: u64,
}

describe! {
    /// AdEMAMix: Adam with a second, much slower mean of the gradients.
    AdEmaMix = "ademamix";
    formula "p ← p - η (m̂ + α s) / (√v̂ + ε)";
    source "Pagliardini, Ablin and Grangier 2024, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁ of the fast mean, β₂ of the squares, β₃ of the slow mean.
        betas: [0.9, 0.999, 0.9999], Range::FRACTION;
        /// The weight α of the slow mean.
        alpha: 5.0, Range::NOT_NEGATIVE;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// In how many steps α and β₃ grow to their values; 0 for none.
        warmup_steps: 0;
    }
}

/// AdEMAMix with this learning rate; often 1e-3.
pub fn ademamix(rate: impl Schedule + 'static) -> AdEmaMix {
    let rate = Arc::new(rate);
    AdEmaMix {
        rate,
        betas: [0.9, 0.999, 0.9999],
        alpha: 5.0,
        epsilon: 1e-8,
        weight_decay: 0.0,
        warmup_steps: 0,
    }
}

setters! { AdEmaMix;
    /// The decay rates β₁ of the fast mean, β₂ of the squares, β₃ of the slow mean, all in `[0, 1)`.
    betas(beta1: f64, beta2: f64, beta3: f64) => betas = [beta1, beta2, beta3];
    /// The weight α of the slow mean.
    alpha(alpha: f64) => alpha = alpha;
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
    /// In how many steps α and β₃ grow to their values, T.
    warmup(steps: u64) => warmup_steps = steps;
}

impl AdEmaMix {
    /// α and β₃ of a step.
    fn slow(&self, step: Step) -> [f64; 2] {
        let [beta1, _, beta3] = self.betas;
        let part = step.number() / self.warmup_steps as f64;
        if part >= 1.0 {
            return [self.alpha, beta3];
        }
        let [ln1, ln3] = [beta1.ln(), beta3.ln()];
        // β₁ where part is 0, β₃ where it is 1: the half-life is linear in between.
        let beta = (ln1 * ln3 / ((1.0 - part) * ln3 + part * ln1)).exp();
        [part * self.alpha, beta.min(beta3)]
    }
}

impl Optimizer for AdEmaMix {
    described!(check_settings);

    fn slots(&self) -> usize {
        3
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for AdEmaMix {
    fn update(&self, pass: Update<'_, T>) {
        let [beta1, beta2, _] = self.betas;
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let [alpha, beta3] = self.slow(pass.step);
        let of_m = correction(beta1, pass.step.number()).recip();
        let root = correction(beta2, pass.step.number()).sqrt().recip();
        let [rate, of_m, alpha, root, epsilon] = [rate, of_m, alpha, root, self.epsilon].map(T::of);
        let [new1, new2, new3] = [beta1, beta2, beta3].map(|beta| T::of(1.0 - beta));
        let (p, grads, [m, v, s]) = pass.split();
        each!(
            [p, m, v, s] = |g: grads| {
                let m = m + new1 * (g - m);
                let v = v + new2 * (g * g - v);
                let s = s + new3 * (g - s);
                [p - (lost * p + rate * ((of_m * m + alpha * s) / (root * v.sqrt() + epsilon))), m, v, s]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v, s] = state else { return f64::INFINITY };
        let [beta1, beta2, _] = self.betas;
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        let all = *m + *s + g + g * g;
        let mixed = mean_bound(m, g) / correction(beta1, step.number()) + self.alpha * mean_bound(s, g);
        let change = quotient_bound::<T>(mixed, self.epsilon);
        *params += rate * change;
        params.max(change).max(all).max(mean_bound(v, g * g) / correction(beta2, step.number()))
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("AdEmaMix").epsilon::<T>(self.epsilon)
    }
}
