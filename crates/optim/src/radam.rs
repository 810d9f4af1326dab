use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// RAdam, rectified Adam (Liu et al. 2020, algorithm 2): Adam whose first steps are smaller, as if the rate were warmed up.
///
/// ```text
/// g ← g + λ p                         weight decay; decoupled: p ← p - η λ p
/// m ← β₁ m + (1 - β₁) g               m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²              ρ∞ = 2 / (1 - β₂) - 1     ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
/// p ← p - η r m̂ √(1 - β₂ᵗ) / (√v + ε)           where ρₜ > 5, with r² = (ρₜ-4)(ρₜ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρₜ)
/// p ← p - η m̂                                   otherwise: the variance of v is not known yet
/// ```
///
/// Defaults are PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Radam {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
}

describe! {
    /// RAdam, rectified Adam: Adam whose first steps are smaller, as if the rate were warmed up.
    Radam = "radam";
    aliases ["rectified_adam"];
    formula "p ← p - η r m̂ √(1 - β₂ᵗ) / (√v + ε)";
    source "Liu et al. 2020, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// Whether the weight decay is decoupled, as in AdamW, and not part of the gradient.
        decoupled_weight_decay: false;
    }
}

/// RAdam with this learning rate; often 1e-3.
pub fn radam(rate: impl Schedule + 'static) -> Radam {
    let rate = Arc::new(rate);
    Radam { rate, betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0, decoupled_weight_decay: false }
}

setters! { Radam;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay, decoupled_weight_decay = false;
    /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
    decoupled_weight_decay(decay: f64) => weight_decay = decay, decoupled_weight_decay = true;
}

impl Radam {
    /// `(rate, root, epsilon)` of `p ← p - rate m / (root √v + epsilon)`.
    fn numbers(&self, rate: f64, step: Step) -> (f64, f64, f64) {
        let [beta1, beta2] = self.betas;
        let rate = rate / correction(beta1, step.number());
        let square = correction(beta2, step.number());
        let longest = 2.0 / (1.0 - beta2) - 1.0;
        let length = longest - 2.0 * step.number() * (1.0 - square) / square;
        if length <= 5.0 {
            return (rate, 0.0, 1.0);
        }
        let r =
            ((length - 4.0) * (length - 2.0) * longest / ((longest - 4.0) * (longest - 2.0) * length)).sqrt();
        (rate * r * square.sqrt(), 1.0, self.epsilon)
    }

    fn decay(&self, rate: f64) -> Decay {
        Decay::either(self.decoupled_weight_decay, self.weight_decay, rate)
    }
}

impl Optimizer for Radam {
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

impl<T: Real> UpdateRule<T> for Radam {
    fn update(&self, pass: Update<'_, T>) {
        let rate = self.rate.rate(pass.step);
        let [decay, lost] = self.decay(rate).numbers::<T>(pass.kind);
        let (rate, root, epsilon) = self.numbers(rate, pass.step);
        let [rate, root, epsilon] = [rate, root, epsilon].map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let (p, grads, [m, v]) = pass.split();
        each!(
            [p, m, v] = |g: grads| {
                let g = g + decay * p;
                let m = m + new1 * (g - m);
                let v = v + new2 * (g * g - v);
                [p - (lost * p + rate * (m / (root * v.sqrt() + epsilon))), m, v]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = self.decay(rate).bound(params, *grads);
        let (rate, _, epsilon) = self.numbers(rate, step);
        let all = *m + g + g * g;
        let change = quotient_bound::<T>(mean_bound(m, g), epsilon);
        *params += rate * change;
        params.max(change).max(all + mean_bound(v, g * g))
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Radam").epsilon::<T>(self.epsilon)
    }
}
