use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::{decay_of, trust_ratio};
use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// LAMB (You et al. 2020): Adam's step, with a rate for each parameter that is proportional to its norm.
///
/// ```text
/// m ← β₁ m + (1 - β₁) g          m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²         v̂ = v / (1 - β₂ᵗ)
/// u = m̂ / (√v̂ + ε) + λ p
/// p ← p - η ‖p‖ / ‖u‖ u                                    η u where one of the norms is 0
/// ```
///
/// Defaults are optax': β₁ 0.9, β₂ 0.999, ε 1e-6, no decay. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Lamb {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    decay: f64,
}

describe! {
    /// Adam's step with a rate for each parameter that is proportional to its norm.
    Lamb = "lamb";
    formula "u = m̂ / (√v̂ + ε) + λ p; p ← p - η ‖p‖ / ‖u‖ u";
    source "You et al. 2020, algorithm 2";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-6, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
    presets { keras { eps = 1e-7 } }
}

/// LAMB with this learning rate.
pub fn lamb(rate: impl Schedule + 'static) -> Lamb {
    Lamb { rate: Arc::new(rate), betas: [0.9, 0.999], epsilon: 1e-6, decay: 0.0 }
}

setters! { Lamb;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

impl Optimizer for Lamb {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Lamb {
    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, params: p, grads: u, state, .. } = pass;
        let (m, v) = state.split_at_mut(p.len());
        let [beta1, beta2] = self.betas;
        let t = step.number();
        let corrections = [1.0 - beta1.powf(t), 1.0 - beta2.powf(t)];
        let [c1, c2] = corrections.map(T::of);
        let [new_m, new_v, epsilon] = [1.0 - beta1, 1.0 - beta2, self.epsilon].map(T::of);
        let decay = T::of(decay_of(kind, self.decay));
        let weights = &*p;
        each!(
            [u, m, v] = |p: weights| {
                let m = m + new_m * (u - m);
                let v = v + new_v * (u * u - v);
                [(m / c1) / ((v / c2).sqrt() + epsilon) + decay * p, m, v]
            }
        );
        let scale = T::of(self.rate.rate(step) * trust_ratio(p, u, 0.0));
        let u = &*u;
        each!(p = |u| p - scale * u);
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        chainrule_core::SettingCheck("Lamb").epsilon::<T>(self.epsilon)
    }
}
