use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::sum_of;
use crate::setters::setters;
use crate::{Optimizer, ParamKind, Real, Schedule, SettingError, Step, Update, UpdateRule, Whole};

/// Prodigy (Mishchenko and Defazio 2024): Adam whose rate is an estimate d of the distance to the solution, which grows faster than
/// that of [`DAdaptAdamW`](crate::DAdaptAdamW).
///
/// ```text
/// δ = d η √(1 - β₂ᵗ) / (1 - β₁ᵗ)                                        t = 1, 2, ...
/// N ← β₃ N + d / d₀ δ ⟨g, p₀ - p⟩
/// m ← β₁ m + (1 - β₁) d g;   v ← β₂ v + (1 - β₂) d² g²;   s ← β₃ s + δ d / d₀ g
/// d' = max(d, c N / ‖s‖₁)
/// p ← p - λ δ p - δ m / (√v + d' ε);   d ← d'
/// ```
///
/// Defaults are optax': η 1, β 0.9, 0.999 and √β₂, ε 1e-8, d₀ 1e-6, c 1, no decay. The sums are over all parameters. λ applies to
/// [`ParamKind::Weight`] only.
#[derive(Clone, Debug)]
pub struct Prodigy {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    beta3: Option<f64>,
    epsilon: f64,
    d0: f64,
    growth: f64,
    decay: f64,
    safeguard_warmup: bool,
}

describe! {
    /// Adam whose rate is an estimate of the distance to the solution.
    Prodigy = "prodigy";
    formula "d ← max(d, c N / ‖s‖₁); p ← p - λ δ p - δ m / (√v + d ε)";
    source "Mishchenko and Defazio 2024, algorithm 4";
    settings {
        /// A factor of the learning rate, η.
        rate as "lr" ("learning_rate"): 1.0;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The decay rate of the sums, β₃; `none` is √β₂.
        beta3: none, Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The first estimate of the distance, d₀.
        d0 ("estim_lr0"): 1e-6, Range::POSITIVE;
        /// A factor of the estimate, c.
        growth as "d_coef" ("estim_lr_coef"): 1.0, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// Whether η does not count in the sums of gradients, for schedules that warm up.
        safeguard_warmup: false;
    }
}

/// Prodigy with this factor of the learning rate; often 1.
pub fn prodigy(rate: impl Schedule + 'static) -> Prodigy {
    Prodigy {
        rate: Arc::new(rate),
        betas: [0.9, 0.999],
        beta3: None,
        epsilon: 1e-8,
        d0: 1e-6,
        growth: 1.0,
        decay: 0.0,
        safeguard_warmup: false,
    }
}

setters! { Prodigy;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The decay rate of the sums, β₃.
    beta3(beta3: f64) => beta3 = Some(beta3);
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The first estimate of the distance, and a factor of the later ones.
    distance(d0: f64, growth: f64) => d0 = d0, growth = growth;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
    /// The learning rate's factor does not count in the sums of gradients, for schedules that warm up.
    safeguard_warmup() => safeguard_warmup = true;
}

impl Optimizer for Prodigy {
    described!(check_settings);

    fn slots(&self) -> usize {
        4
    }

    /// The estimate d, the numerator N, and of this step δ and the estimate before.
    fn numbers(&self) -> usize {
        4
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Prodigy {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [_, _, _, start]) = pass.split();
        start.copy_from_slice(p);
    }

    fn advance(&self, step: Step, numbers: &mut [f64]) {
        let [d, _, delta, before] = numbers else { return };
        if step.is_first() {
            *d = self.d0;
        }
        let [beta1, beta2] = self.betas;
        let t = step.number();
        *delta = *d * self.rate.rate(step) * (1.0 - beta2.powf(t)).sqrt() / (1.0 - beta1.powf(t));
        *before = *d;
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let &mut [d, _, delta, _] = whole.numbers else { return };
        let beta3 = self.beta3.unwrap_or(self.betas[1].sqrt());
        let growing = if self.safeguard_warmup { d } else { delta };
        let [keep, new] = [beta3, growing * d / self.d0].map(T::of);
        let mut product = 0.0;
        let mut length = 0.0;
        whole.for_each(|pass| {
            let (p, grads, [_, _, s, start]) = pass.split();
            let way = start.iter().zip(&*p).map(|(start, p)| start.as_f64() - p.as_f64());
            product += grads.iter().zip(way).map(|(g, way)| g.as_f64() * way).sum::<f64>();
            each!(s = |g: grads| keep * s + new * g);
            length += sum_of(s, s, |s, _| s.abs());
        });
        let [d, numerator, ..] = whole.numbers else { return };
        *numerator = beta3 * *numerator + *d / self.d0 * delta * product;
        if length > 0.0 {
            *d = d.max(self.growth * *numerator / length);
        }
    }

    fn update(&self, pass: Update<'_, T>) {
        let &[d, _, delta, before] = pass.numbers else { return };
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let [beta1, beta2] = self.betas;
        let squares = (1.0 - beta2) * before * before;
        let numbers = [beta1, (1.0 - beta1) * before, beta2, squares, d * self.epsilon, decay * delta, delta];
        let [beta1, new_m, beta2, new_v, epsilon, shrink, rate] = numbers.map(T::of);
        let (p, grads, [m, v, ..]) = pass.split::<4>();
        each!(
            [p, m, v] = |g: grads| {
                let m = beta1 * m + new_m * g;
                let v = beta2 * v + new_v * (g * g);
                [p - shrink * p - rate * m / (v.sqrt() + epsilon), m, v]
            }
        );
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        chainrule_core::SettingCheck("Prodigy").epsilon::<T>(self.epsilon * self.d0)
    }
}
