use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// Nadam (Dozat 2016): Adam with Nesterov's momentum, and a momentum that grows in the first steps.
///
/// ```text
/// g ← g + λ p                        weight decay; decoupled: p ← p - η λ p
/// m ← β₁ m + (1 - β₁) g              μₜ = β₁ (1 - 0.96^(t ψ) / 2)         t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²             v̂ = v / (1 - β₂ᵗ)                   Πₜ = μ₁ μ₂ ... μₜ
/// d = (1 - μₜ) g / (1 - Πₜ) + μₜ₊₁ m / (1 - Πₜ₊₁)
/// p ← p - η d / (√v̂ + ε)
/// ```
///
/// Defaults are PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8, and ψ 0.004. With ψ = ∞ the momentum does not grow, as in optax. λ applies
/// to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Nadam {
    pub(crate) rate: Arc<dyn Schedule>,
    pub(crate) betas: [f64; 2],
    pub(crate) epsilon: f64,
    pub(crate) weight_decay: f64,
    pub(crate) momentum_decay: f64,
    pub(crate) decoupled_weight_decay: bool,
}

describe! {
    /// Nadam: Adam with Nesterov's momentum.
    Nadam = "nadam";
    formula "p ← p - η ((1 - μₜ) g / (1 - Πₜ) + μₜ₊₁ m / (1 - Πₜ₊₁)) / (√v̂ + ε)";
    source "Dozat 2016";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.002;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// How fast the momentum grows to β₁, ψ; with infinity it is β₁ from the beginning.
        momentum_decay: 0.004, Range::between(0.0, f64::INFINITY, "at least 0");
        /// Whether the weight decay is decoupled, as in AdamW, and not part of the gradient.
        decoupled_weight_decay: false;
    }
    presets {
        keras { lr = 1e-3, eps = 1e-7, momentum_decay = 1.0 }
        optax { momentum_decay = inf }
    }
}

/// Nadam with this learning rate; often 2e-3.
pub fn nadam(rate: impl Schedule + 'static) -> Nadam {
    Nadam {
        rate: Arc::new(rate),
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
        momentum_decay: 0.004,
        decoupled_weight_decay: false,
    }
}

setters! { Nadam;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// How fast the momentum grows to β₁, ψ; with infinity it is β₁ from the beginning.
    momentum_decay(psi: f64) => momentum_decay = psi;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay, decoupled_weight_decay = false;
    /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
    decoupled_weight_decay(decay: f64) => weight_decay = decay, decoupled_weight_decay = true;
    /// Keras' defaults: ε is 1e-7 and ψ is 1.
    keras() => epsilon = 1e-7, momentum_decay = 1.0;
}

impl Nadam {
    /// `[η (1 - μₜ) / (1 - Πₜ), η μₜ₊₁ / (1 - Πₜ₊₁)]`.
    fn rates(&self, rate: f64, step: Step) -> [f64; 2] {
        let beta = self.betas[0];
        let factor = 0.96f64.powf(self.momentum_decay);
        let mu = |power: f64| beta * (1.0 - 0.5 * power);
        let [mut power, mut product] = [factor, mu(factor)];
        let mut left = step.index as f64;
        // The product is soon less than a rounding of 1, or all the factors that are left are β₁.
        while left > 0.0 && product > 1e-20 && power > 1e-20 {
            power *= factor;
            product *= mu(power);
            left -= 1.0;
        }
        product *= beta.powf(left);
        let t = step.number();
        let now = mu(0.96f64.powf(t * self.momentum_decay));
        let next = mu(0.96f64.powf((t + 1.0) * self.momentum_decay));
        [rate * (1.0 - now) / (1.0 - product), rate * next / (1.0 - product * next)]
    }

    fn decay(&self, rate: f64) -> Decay {
        Decay::either(self.decoupled_weight_decay, self.weight_decay, rate)
    }
}

impl Optimizer for Nadam {
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

impl<T: Real> UpdateRule<T> for Nadam {
    fn update(&self, pass: Update<'_, T>) {
        let [beta1, beta2] = self.betas;
        let rate = self.rate.rate(pass.step);
        let [decay, lost] = self.decay(rate).numbers::<T>(pass.kind);
        let root = correction(beta2, pass.step.number()).sqrt().recip();
        let [of_g, of_m] = self.rates(rate, pass.step).map(T::of);
        let [new1, new2, root, epsilon] = [1.0 - beta1, 1.0 - beta2, root, self.epsilon].map(T::of);
        let (p, grads, [m, v]) = pass.split();
        each!(
            [p, m, v] = |g: grads| {
                let g = g + decay * p;
                let m = m + new1 * (g - m);
                let v = v + new2 * (g * g - v);
                [p - (lost * p + (of_g * g + of_m * m) / (root * v.sqrt() + epsilon)), m, v]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let [of_g, of_m] = self.rates(rate, step);
        let g = self.decay(rate).bound(params, *grads);
        let all = *m + g + g * g / correction(self.betas[1], step.number());
        let d = of_g * g + of_m * mean_bound(m, g);
        *params += quotient_bound::<T>(d, self.epsilon);
        params.max(all).max(d + mean_bound(v, g * g))
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Nadam").epsilon::<T>(self.epsilon)
    }
}
