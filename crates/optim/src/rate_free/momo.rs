use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::sum_of;
use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, Update, UpdateRule, Whole, vector};

/// MoMo (Schaipp et al. 2024): momentum with a step of Polyak's kind, from running means of the loss and of the gradients.
///
/// ```text
/// J̄ ← β J̄ + (1 - β) J           m ← β m + (1 - β) g         γ ← β γ + (1 - β) ⟨g, p⟩       (β = 0 in the first step)
/// τ = min(η, max((1 + η λ) (J̄ - J* - γ) + ⟨m, p⟩, 0) / ‖m‖²)
/// p ← p - η λ / (1 + η λ) p - τ m
/// ```
///
/// Defaults are optax': the maximum rate η 1, β 0.9, the minimum of the loss J* 0, no decay. The sums are over all parameters, and so is
/// the decay. It needs the loss, which a trainer knows. optax' adaptive minimum is not offered.
#[derive(Clone, Debug)]
pub struct Momo {
    rate: Arc<dyn Schedule>,
    beta: f64,
    minimum: f64,
    decay: f64,
}

describe! {
    /// Momentum with a step of Polyak's kind, from running means of the loss and of the gradients.
    Momo = "momo";
    formula "τ = min(η, max((1 + η λ) (J̄ - J* - γ) + ⟨m, p⟩, 0) / ‖m‖²); p ← p - η λ / (1 + η λ) p - τ m";
    source "Schaipp et al. 2024, algorithm 1";
    settings {
        /// The maximum learning rate η.
        rate as "lr" ("learning_rate"): 1.0;
        /// The decay rate of the means, β.
        beta: 0.9, Range::FRACTION;
        /// The minimum of the loss, J*.
        minimum as "lower_bound": 0.0, Range::FINITE;
        /// The weight decay λ, of all parameters.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// MoMo with this maximum learning rate; often 1.
pub fn momo(rate: impl Schedule + 'static) -> Momo {
    Momo { rate: Arc::new(rate), beta: 0.9, minimum: 0.0, decay: 0.0 }
}

setters! { Momo;
    /// The decay rate of the means, in `[0, 1)`.
    beta(beta: f64) => beta = beta;
    /// The minimum of the loss.
    minimum(loss: f64) => minimum = loss;
    /// The weight decay λ, of all parameters.
    weight_decay(decay: f64) => decay = decay;
}

impl Optimizer for Momo {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    /// The means J̄ and γ, and τ of this step.
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

impl<T: Real> UpdateRule<T> for Momo {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let beta = if whole.step.is_first() { 0.0 } else { self.beta };
        let [keep, new] = [beta, 1.0 - beta].map(T::of);
        let [mut along, mut square, mut product] = [0.0; 3];
        whole.for_each(|pass| {
            let (p, grads, [m]) = pass.split();
            along += sum_of(grads, p, |g, p| g * p);
            each!(m = |g: grads| keep * m + new * g);
            square += vector::sum_squares(m);
            product += sum_of(m, p, |m, p| m * p);
        });
        let decay = 1.0 + self.rate.rate(whole.step) * self.decay;
        let rate = self.rate.rate(whole.step);
        let loss = whole.loss;
        let [mean, gamma, tau] = whole.numbers else { return };
        *mean = beta * *mean + (1.0 - beta) * loss;
        *gamma = beta * *gamma + (1.0 - beta) * along;
        let gap = (decay * (*mean - self.minimum - *gamma) + product).max(0.0);
        *tau = if square <= T::epsilon().as_f64() { 0.0 } else { rate.min(gap / square) };
    }

    fn update(&self, pass: Update<'_, T>) {
        let tau = pass.numbers.get(2).copied().unwrap_or(0.0);
        let decay = self.rate.rate(pass.step) * self.decay;
        let [shrink, tau] = [decay / (1.0 + decay), tau].map(T::of);
        let (p, _, [m]) = pass.split();
        let m = &*m;
        each!(p = |m| p - shrink * p - tau * m);
    }
}
