use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::decay_of;
use crate::setters::setters;
use crate::{Optimizer, Parameter, Real, Schedule, Update, UpdateRule, vector};

/// NovoGrad (Ginsburg et al. 2019): momentum of gradients that are divided by a running mean of their norms, one for each
/// parameter.
///
/// ```text
/// v ← β₂ v + (1 - β₂) ‖g‖²               ‖g‖² in the first step
/// m ← β₁ m + g / (√v + ε) + λ p
/// p ← p - η m
/// ```
///
/// Defaults are optax': β₁ 0.9, β₂ 0.25, ε 1e-6, no decay. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct NovoGrad {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    decay: f64,
}

describe! {
    /// Momentum of gradients that are divided by a running mean of their norms.
    NovoGrad = "novograd";
    formula "v ← β₂ v + (1 - β₂) ‖g‖²; m ← β₁ m + g / (√v + ε) + λ p; p ← p - η m";
    source "Ginsburg et al. 2019, algorithm 1";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁ of the momentum, and β₂ of the mean of the squared norms.
        betas: [0.9, 0.25], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-6, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// NovoGrad with this learning rate.
pub fn novograd(rate: impl Schedule + 'static) -> NovoGrad {
    NovoGrad { rate: Arc::new(rate), betas: [0.9, 0.25], epsilon: 1e-6, decay: 0.0 }
}

setters! { NovoGrad;
    /// The decay rates β₁ of the momentum, and β₂ of the mean of the squared norms, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

impl Optimizer for NovoGrad {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn extra(&self, _: &Parameter) -> usize {
        1
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for NovoGrad {
    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, params: p, grads, state: m, extra, .. } = pass;
        let Some(square) = extra.first_mut() else { return };
        let [beta1, beta2] = self.betas;
        let norm = vector::sum_squares(grads);
        let mean = if step.is_first() { norm } else { beta2 * square.as_f64() + (1.0 - beta2) * norm };
        *square = T::of(mean);
        let scale = T::of(1.0 / (mean.sqrt() + self.epsilon));
        let [rate, beta1, decay] = [self.rate.rate(step), beta1, decay_of(kind, self.decay)].map(T::of);
        let grads = &*grads;
        each!(
            [p, m] = |g: grads| {
                let m = beta1 * m + (scale * g + decay * p);
                [p - rate * m, m]
            }
        );
    }
}
