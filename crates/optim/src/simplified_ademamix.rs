use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// Simplified AdEMAMix (Morwani et al. 2025, algorithm 2): one long momentum, to which the new gradient is added once more.
///
/// ```text
/// p ← p - η λ p                              weight decay
/// m ← β₁ m + g
/// v ← β₂ v + (1 - β₂) g²                     v̂ = v / (1 - β₂ᵗ)        t = 1, 2, ...
/// p ← p - η (m + α g) / (√v̂ + ε)
/// ```
///
/// The momentum is a sum, not a mean, so the learning rate is about 1 - β₁ times that of Adam. Defaults are optax': β₁ 0.99, β₂
/// 0.95, α 0, ε 1e-8, no decay. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct SimplifiedAdEmaMix {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    alpha: f64,
    epsilon: f64,
    weight_decay: f64,
}

describe! {
    /// Simplified AdEMAMix: Adam with one long momentum, to which the new gradient is added once more.
    SimplifiedAdEmaMix = "simplified_ademamix";
    formula "p ← p - η (m + α g) / (√v̂ + ε), with m ← β₁ m + g";
    source "Morwani et al. 2025, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 1e-5;
        /// The decay rates β₁ of the momentum and β₂ of the squares.
        betas: [0.99, 0.95], Range::FRACTION;
        /// The weight α of the new gradient.
        alpha: 0.0, Range::NOT_NEGATIVE;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// Simplified AdEMAMix with this learning rate; often 1e-5.
pub fn simplified_ademamix(rate: impl Schedule + 'static) -> SimplifiedAdEmaMix {
    let rate = Arc::new(rate);
    SimplifiedAdEmaMix { rate, betas: [0.99, 0.95], alpha: 0.0, epsilon: 1e-8, weight_decay: 0.0 }
}

setters! { SimplifiedAdEmaMix;
    /// The decay rates β₁ of the momentum and β₂ of the squares, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The weight α of the new gradient.
    alpha(alpha: f64) => alpha = alpha;
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Optimizer for SimplifiedAdEmaMix {
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

impl<T: Real> UpdateRule<T> for SimplifiedAdEmaMix {
    fn update(&self, pass: Update<'_, T>) {
        let [beta1, beta2] = self.betas;
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let root = correction(beta2, pass.step.number()).sqrt().recip();
        let [rate, alpha, root, epsilon] = [rate, self.alpha, root, self.epsilon].map(T::of);
        let [beta1, new2] = [beta1, 1.0 - beta2].map(T::of);
        let (p, grads, [m, v]) = pass.split();
        each!(
            [p, m, v] = |g: grads| {
                let m = beta1 * m + g;
                let v = v + new2 * (g * g - v);
                [p - (lost * p + rate * ((m + alpha * g) / (root * v.sqrt() + epsilon))), m, v]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v] = state else { return f64::INFINITY };
        let [beta1, beta2] = self.betas;
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        *m = beta1 * *m + g;
        let mixed = *m + self.alpha * g;
        let change = quotient_bound::<T>(mixed, self.epsilon);
        *params += rate * change;
        let squares = g * g + mean_bound(v, g * g) / correction(beta2, step.number());
        params.max(change).max(mixed).max(squares)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("SimplifiedAdEmaMix").epsilon::<T>(self.epsilon)
    }
}
