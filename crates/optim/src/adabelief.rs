use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// AdaBelief (Zhuang et al. 2020, algorithm 2): Adam that divides by how far gradients are from what their mean predicted, so
/// that steps are large where gradients are steady.
///
/// ```text
/// p ← p - η λ p                                      weight decay
/// m ← β₁ m + (1 - β₁) g                              m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// s ← β₂ s + (1 - β₂) (g - m)² + ε₀                  ŝ = s / (1 - β₂ᵗ)
/// p ← p - η m̂ / (√ŝ + ε)
/// ```
///
/// Defaults are optax': β₁ 0.9, β₂ 0.999, ε 1e-16, ε₀ 1e-16. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct AdaBelief {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    epsilon_root: f64,
    weight_decay: f64,
}

describe! {
    /// AdaBelief: Adam that divides by how far gradients are from what their mean predicted.
    AdaBelief = "adabelief";
    formula "p ← p - η m̂ / (√ŝ + ε), with s the running mean of (g - m)²";
    source "Zhuang et al. 2020, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that is added to the denominator.
        epsilon as "eps" ("epsilon"): 1e-16, Range::NOT_NEGATIVE;
        /// The term ε₀ that is added to the mean of squares in each step.
        epsilon_root as "eps_root": 1e-16, Range::POSITIVE;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// AdaBelief with this learning rate; often 1e-3.
pub fn adabelief(rate: impl Schedule + 'static) -> AdaBelief {
    let rate = Arc::new(rate);
    AdaBelief { rate, betas: [0.9, 0.999], epsilon: 1e-16, epsilon_root: 1e-16, weight_decay: 0.0 }
}

setters! { AdaBelief;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that is added to the denominator.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The term ε₀ that is added to the mean of squares in each step, above 0.
    epsilon_root(epsilon: f64) => epsilon_root = epsilon;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl AdaBelief {
    /// `[rate, epsilon]` of `p ← p - rate m / (√s + epsilon)`: both corrections are taken out of the loop.
    fn numbers(&self, rate: f64, step: Step) -> [f64; 2] {
        let root = correction(self.betas[1], step.number()).sqrt();
        [rate * root / correction(self.betas[0], step.number()), self.epsilon * root]
    }
}

impl Optimizer for AdaBelief {
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

impl<T: Real> UpdateRule<T> for AdaBelief {
    fn update(&self, pass: Update<'_, T>) {
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let [rate, epsilon] = self.numbers(rate, pass.step).map(T::of);
        let [beta1, beta2] = self.betas;
        let [new1, new2, floor] = [1.0 - beta1, 1.0 - beta2, self.epsilon_root].map(T::of);
        let (p, grads, [m, s]) = pass.split();
        each!(
            [p, m, s] = |g: grads| {
                let m = m + new1 * (g - m);
                let s = s + new2 * ((g - m) * (g - m) - s) + floor;
                [p - (lost * p + rate * (m / (s.sqrt() + epsilon))), m, s]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, s] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        let [rate, _] = self.numbers(rate, step);
        let far = (*m).max(g) + g;
        let all = far + far * far + *s;
        mean_bound(s, far * far);
        *s += self.epsilon_root;
        // Half of the root leaves room for rounding.
        let change = quotient_bound::<T>(mean_bound(m, g), 0.5 * self.epsilon_root.sqrt());
        *params += rate * change;
        params.max(change).max(all).max(*s)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("AdaBelief");
        let ok = T::of(self.epsilon_root) > T::zero();
        let allowed = "a finite number above 0, also in the precision of the parameters";
        settings.range(ok, "eps_root", self.epsilon_root, allowed)
    }
}
