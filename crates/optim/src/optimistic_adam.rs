use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// Optimistic Adam (Daskalakis et al. 2018, algorithm 1): the steps of Adam, as if they went on changing as they did.
///
/// ```text
/// m ← β₁ m + (1 - β₁) g                                         t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²                                        v̂ = v / (1 - β₂ᵗ)
/// d = (β₁ m / (1 - β₁ᵗ⁺¹) + (1 - β₁) g / (1 - β₁ᵗ)) / (√v̂ + ε)      without Nesterov: m / (1 - β₁ᵗ) / (√v̂ + ε)
/// p ← p - η ((α + β) d - β d₀)                                  d₀: of the step before; in the first step it is d
/// ```
///
/// Defaults are those of optax' `optimistic_adam_v2`: β₁ 0.9, β₂ 0.999, ε 1e-8, α 1, β 1, with Nesterov's momentum.
#[derive(Clone, Debug)]
pub struct OptimisticAdam {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    alpha: f64,
    beta: f64,
    nesterov: bool,
}

describe! {
    /// Optimistic Adam: the steps of Adam, as if they went on changing as they did.
    OptimisticAdam = "optimistic_adam";
    aliases ["optimistic_adam_v2"];
    formula "p ← p - η ((α + β) d - β d₀), with d the step of Adam";
    source "Daskalakis et al. 2018, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight α of the step.
        alpha: 1.0, Range::NOT_NEGATIVE;
        /// The weight β of its change.
        beta: 1.0, Range::NOT_NEGATIVE;
        /// Whether the momentum is Nesterov's.
        nesterov: true;
    }
}

/// Optimistic Adam with this learning rate; often 1e-3.
pub fn optimistic_adam(rate: impl Schedule + 'static) -> OptimisticAdam {
    let rate = Arc::new(rate);
    OptimisticAdam { rate, betas: [0.9, 0.999], epsilon: 1e-8, alpha: 1.0, beta: 1.0, nesterov: true }
}

setters! { OptimisticAdam;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight α of the step.
    alpha(alpha: f64) => alpha = alpha;
    /// The weight β of its change.
    beta(beta: f64) => beta = beta;
    /// Whether the momentum is Nesterov's, as it is by default.
    nesterov(nesterov: bool) => nesterov = nesterov;
}

impl OptimisticAdam {
    /// What g and m are multiplied by.
    fn weights(&self, step: Step) -> [f64; 2] {
        let beta1 = self.betas[0];
        let now = correction(beta1, step.number());
        if self.nesterov {
            [(1.0 - beta1) / now, beta1 / correction(beta1, step.number() + 1.0)]
        } else {
            [0.0, 1.0 / now]
        }
    }
}

impl Optimizer for OptimisticAdam {
    described!(check_settings);

    fn slots(&self) -> usize {
        3
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for OptimisticAdam {
    fn update(&self, pass: Update<'_, T>) {
        let beta = if pass.step.is_first() { 0.0 } else { self.beta };
        let [rate, of_new, of_old] = [self.rate.rate(pass.step), self.alpha + beta, beta].map(T::of);
        let [of_g, of_m] = self.weights(pass.step).map(T::of);
        let root = correction(self.betas[1], pass.step.number()).sqrt().recip();
        let [root, epsilon] = [root, self.epsilon].map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let (p, grads, [m, v, last]) = pass.split();
        each!(
            [p, m, v, last] = |g: grads| {
                let m = m + new1 * (g - m);
                let v = v + new2 * (g * g - v);
                let d = (of_g * g + of_m * m) / (root * v.sqrt() + epsilon);
                [p - rate * (of_new * d - of_old * last), m, v, d]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v, last] = state else { return f64::INFINITY };
        let g = *grads;
        let [of_g, of_m] = self.weights(step);
        let all = *m + g + g * g;
        let d = quotient_bound::<T>(of_g * g + of_m * mean_bound(m, g), self.epsilon);
        let change = (self.alpha + self.beta) * d + self.beta * *last;
        *last = d;
        *params += self.rate.rate(step) * change;
        params
            .max(change)
            .max(d)
            .max(all)
            .max(mean_bound(v, g * g) / correction(self.betas[1], step.number()))
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("OptimisticAdam").epsilon::<T>(self.epsilon)
    }
}
