use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// ADOPT (Taniguchi et al. 2024, algorithm 2): Adam that divides each gradient by the squares before it, then takes the mean; it
/// converges with every β₂.
///
/// ```text
/// p ← p - η λ p                                    weight decay
/// m ← β₁ m + (1 - β₁) clip(g / max(√v, ε), ±t^¼)   t = 1, 2, ...
/// p ← p - η m
/// v ← β₂ v + (1 - β₂) g²
/// ```
///
/// The step before, t = 0, only sets v to g². Defaults are optax': β₁ 0.9, β₂ 0.9999, ε 1e-6. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Adopt {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
}

describe! {
    /// ADOPT: Adam that divides each gradient by the squares before it; it converges with every β₂.
    Adopt = "adopt";
    formula "m ← β₁ m + (1 - β₁) clip(g / max(√v, ε), ±t^¼); p ← p - η m";
    source "Taniguchi et al. 2024, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.9999], Range::FRACTION;
        /// The least denominator ε.
        epsilon as "eps" ("epsilon"): 1e-6, Range::POSITIVE;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// ADOPT with this learning rate; often 1e-3.
pub fn adopt(rate: impl Schedule + 'static) -> Adopt {
    Adopt { rate: Arc::new(rate), betas: [0.9, 0.9999], epsilon: 1e-6, weight_decay: 0.0 }
}

setters! { Adopt;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The least denominator ε.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Optimizer for Adopt {
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

impl<T: Real> UpdateRule<T> for Adopt {
    fn update(&self, pass: Update<'_, T>) {
        let [beta1, beta2] = self.betas;
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let new2 = if pass.step.is_first() { 1.0 } else { 1.0 - beta2 };
        let limit = (pass.step.index as f64).powf(0.25);
        let [rate, new1, new2, epsilon, limit] = [rate, 1.0 - beta1, new2, self.epsilon, limit].map(T::of);
        let (p, grads, [m, v]) = pass.split();
        each!(
            [p, m, v] = |g: grads| {
                let root = v.sqrt();
                let scaled = g / (if root < epsilon { epsilon } else { root });
                let below = if scaled > limit { limit } else { scaled };
                let clipped = if below < -limit { -limit } else { below };
                let m = m + new1 * (clipped - m);
                [p - (lost * p + rate * m), m, v + new2 * (g * g - v)]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        let scaled = quotient_bound::<T>(g, self.epsilon);
        let clipped = scaled.min((step.index as f64).powf(0.25));
        let all = *m + clipped;
        *params += rate * mean_bound(m, clipped);
        params.max(scaled).max(all).max(g * g + mean_bound(v, g * g))
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Adopt").epsilon::<T>(self.epsilon)
    }
}
