use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, ParamKind, Real, Schedule, SettingError, Update, UpdateRule};

/// Adan (Xie et al. 2024, algorithm 1): Nesterov's momentum from the differences of gradients.
///
/// ```text
/// m ← β₁ m + (1 - β₁) g                                  m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// d ← β₂ d + (1 - β₂) (g - g₀)                           d̂ = d / (1 - β₂ᵗ)        g₀: of the step before
/// n ← β₃ n + (1 - β₃) (g + β₂ (g - g₀))²                 n̂ = n / (1 - β₃ᵗ)
/// p ← (p - η (m̂ + β₂ d̂) / (√n̂ + ε)) / (1 + η λ)
/// ```
///
/// The β are what is kept, as in the authors' program: 0.98, 0.92 and 0.99; in the paper's text they are what is new. ε is
/// 1e-8. In the first step g₀ is g. λ applies to [`ParamKind::Weight`] only. (optax 0.2.8 has 1 - β₂ where β₂ multiplies a
/// difference, which is neither the paper's nor the authors' program's.)
#[derive(Clone, Debug)]
pub struct Adan {
    rate: Arc<dyn Schedule>,
    betas: [f64; 3],
    epsilon: f64,
    weight_decay: f64,
}

describe! {
    /// Adan: Adam with Nesterov's momentum from the differences of gradients.
    Adan = "adan";
    formula "p ← (p - η (m̂ + β₂ d̂) / (√n̂ + ε)) / (1 + η λ)";
    source "Xie et al. 2024, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates of the means of gradients, of their differences, and of squares.
        betas: [0.98, 0.92, 0.99], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, by which parameters are divided: 1 + η λ.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// Adan with this learning rate; often 1e-3.
pub fn adan(rate: impl Schedule + 'static) -> Adan {
    Adan { rate: Arc::new(rate), betas: [0.98, 0.92, 0.99], epsilon: 1e-8, weight_decay: 0.0 }
}

setters! { Adan;
    /// The decay rates of the means of gradients, of their differences, and of squares, all in `[0, 1)`.
    betas(beta1: f64, beta2: f64, beta3: f64) => betas = [beta1, beta2, beta3];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ: parameters are divided by `1 + η λ`.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Optimizer for Adan {
    described!(check_settings);

    fn slots(&self) -> usize {
        4
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Adan {
    fn update(&self, pass: Update<'_, T>) {
        let step = pass.step;
        let rate = self.rate.rate(step);
        let decay = if pass.kind == ParamKind::Weight { self.weight_decay } else { 0.0 };
        let lost = T::of(rate * decay / (1.0 + rate * decay));
        let [of_m, of_d, of_n] = self.betas.map(|beta| correction(beta, step.number()).recip());
        let beta2 = self.betas[1];
        let [of_m, of_d] = [rate * of_m, rate * beta2 * of_d].map(T::of);
        let [new_m, new_d, new_n] = self.betas.map(|beta| T::of(1.0 - beta));
        let known = if step.is_first() { 0.0 } else { 1.0 };
        let [beta2, root, epsilon, known] = [beta2, of_n.sqrt(), self.epsilon, known].map(T::of);
        let (p, grads, [m, d, n, last]) = pass.split();
        each!(
            [p, m, d, n, last] = |g: grads| {
                let difference = known * (g - last);
                let ahead = g + beta2 * difference;
                let m = m + new_m * (g - m);
                let d = d + new_d * (difference - d);
                let n = n + new_n * (ahead * ahead - n);
                let p = p - (of_m * m + of_d * d) / (root * n.sqrt() + epsilon);
                [p - lost * p, m, d, n, g]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, d, n, last] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let [of_m, of_d, of_n] = self.betas.map(|beta| correction(beta, step.number()).recip());
        let g = *grads;
        let difference = g + *last;
        let ahead = g + difference;
        let all = *m + *d + ahead + ahead * ahead;
        let change = rate * (of_m * mean_bound(m, g) + of_d * mean_bound(d, difference));
        mean_bound(n, ahead * ahead);
        *last = g;
        *params += quotient_bound::<T>(change, self.epsilon);
        params.max(all).max(change).max(of_n * *n)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Adan").epsilon::<T>(self.epsilon)
    }
}
