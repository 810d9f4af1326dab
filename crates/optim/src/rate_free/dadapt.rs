use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::sum_of;
use crate::setters::setters;
use crate::{Optimizer, ParamKind, Real, Schedule, SettingError, Step, Update, UpdateRule, Whole};

/// D-Adaptation for AdamW (Defazio and Mishchenko 2023): Adam whose rate is an estimate d of the distance to the solution.
///
/// ```text
/// δ = d η √(1 - β₂ᵗ) / (1 - β₁ᵗ)         b = √β₂                        t = 1, 2, ...
/// N ← b N + (1 - b) δ ⟨g, s / (√v + ε)⟩
/// m ← β₁ m + (1 - β₁) δ g;   v ← β₂ v + (1 - β₂) g²;   s ← b s + (1 - b) δ g
/// d ← max(d, N / ((1 - b) ‖s‖₁))
/// p ← p - λ δ p - m / (√v + ε)
/// ```
///
/// Defaults are optax': η 1, β 0.9 and 0.999, ε 1e-8, d₀ 1e-6, no decay. The sums are over all parameters. λ applies to
/// [`ParamKind::Weight`] only.
#[derive(Clone, Debug)]
pub struct DAdaptAdamW {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    d0: f64,
    decay: f64,
}

describe! {
    /// Adam whose rate is an estimate of the distance to the solution.
    DAdaptAdamW = "dadapt_adamw";
    aliases ["d_adaptation", "dadapt_adam"];
    formula "d ← max(d, N / ((1 - √β₂) ‖s‖₁)); p ← p - λ δ p - m / (√v + ε)";
    source "Defazio and Mishchenko 2023, algorithm 5";
    settings {
        /// A factor of the learning rate, η.
        rate as "lr" ("learning_rate"): 1.0;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The first estimate of the distance, d₀.
        d0 ("estim_lr0"): 1e-6, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// D-Adaptation for AdamW with this factor of the learning rate; often 1.
pub fn dadapt_adamw(rate: impl Schedule + 'static) -> DAdaptAdamW {
    DAdaptAdamW { rate: Arc::new(rate), betas: [0.9, 0.999], epsilon: 1e-8, d0: 1e-6, decay: 0.0 }
}

setters! { DAdaptAdamW;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The first estimate of the distance.
    d0(distance: f64) => d0 = distance;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

impl Optimizer for DAdaptAdamW {
    described!(check_settings);

    fn slots(&self) -> usize {
        3
    }

    /// The estimate d, the numerator N, and δ of this step.
    fn numbers(&self) -> usize {
        3
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for DAdaptAdamW {
    fn advance(&self, step: Step, numbers: &mut [f64]) {
        let [d, _, delta] = numbers else { return };
        if step.is_first() {
            *d = self.d0;
        }
        let [beta1, beta2] = self.betas;
        let t = step.number();
        *delta = *d * self.rate.rate(step) * (1.0 - beta2.powf(t)).sqrt() / (1.0 - beta1.powf(t));
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let &mut [_, _, delta] = whole.numbers else { return };
        let b = self.betas[1].sqrt();
        let [keep, new] = [b, (1.0 - b) * delta].map(T::of);
        let mut product = 0.0;
        let mut length = 0.0;
        whole.for_each(|pass| {
            let (_, grads, [_, v, s]) = pass.split();
            let scaled = s.iter().zip(&*v).map(|(s, v)| s.as_f64() / (v.as_f64().sqrt() + self.epsilon));
            product += grads.iter().zip(scaled).map(|(g, scaled)| g.as_f64() * scaled).sum::<f64>();
            each!(s = |g: grads| keep * s + new * g);
            length += sum_of(s, s, |s, _| s.abs());
        });
        let [d, numerator, _] = whole.numbers else { return };
        *numerator = b * *numerator + (1.0 - b) * delta * product;
        if length > 0.0 {
            *d = d.max(*numerator / ((1.0 - b) * length));
        }
    }

    fn update(&self, pass: Update<'_, T>) {
        let delta = pass.numbers.get(2).copied().unwrap_or(0.0);
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let [beta1, beta2] = self.betas;
        let numbers = [beta1, (1.0 - beta1) * delta, beta2, 1.0 - beta2, self.epsilon, decay * delta];
        let [beta1, new_m, beta2, new_v, epsilon, shrink] = numbers.map(T::of);
        let (p, grads, [m, v, _]) = pass.split();
        each!(
            [p, m, v] = |g: grads| {
                let m = beta1 * m + new_m * g;
                let v = beta2 * v + new_v * (g * g);
                [p - shrink * p - m / (v.sqrt() + epsilon), m, v]
            }
        );
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        chainrule_core::SettingCheck("DAdaptAdamW").epsilon::<T>(self.epsilon)
    }
}
