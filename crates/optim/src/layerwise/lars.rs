use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::{decay_of, trust_ratio};
use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, Update, UpdateRule};

/// LARS, layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017): momentum, with a rate for each parameter that is
/// proportional to its norm.
///
/// ```text
/// u ← g + λ p
/// u ← η ρ ‖p‖ / (‖u‖ + ε) u              η u where one of the norms is 0
/// m ← μ m + u;   p ← p - m               Nesterov's: p ← p - (u + μ m)
/// ```
///
/// Defaults are optax': ρ 0.001, μ 0.9, ε 0, no decay. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only; let biases
/// have an optimizer of their own with [`groups`](crate::groups()), as is customary.
#[derive(Clone, Debug)]
pub struct Lars {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    nesterov: bool,
    decay: f64,
    trust: f64,
    epsilon: f64,
}

describe! {
    /// Momentum with a rate for each parameter that is proportional to its norm.
    Lars = "lars";
    formula "u ← g + λ p; m ← μ m + η ρ ‖p‖ / (‖u‖ + ε) u; p ← p - m";
    source "You, Gitman and Ginsburg 2017, algorithm 1";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.1;
        /// The momentum μ.
        momentum: 0.9, Range::FRACTION;
        /// Whether the momentum is Nesterov's.
        nesterov: false;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// The factor ρ of the norm of the parameter.
        trust as "trust_coefficient": 0.001, Range::POSITIVE;
        /// The term ε of the denominator.
        epsilon as "eps": 0.0, Range::NOT_NEGATIVE;
    }
}

/// LARS with this learning rate.
pub fn lars(rate: impl Schedule + 'static) -> Lars {
    let rate = Arc::new(rate);
    Lars { rate, momentum: 0.9, nesterov: false, decay: 0.0, trust: 0.001, epsilon: 0.0 }
}

setters! { Lars;
    /// The momentum μ, in `[0, 1)`.
    momentum(momentum: f64) => momentum = momentum;
    /// Uses Nesterov's momentum.
    nesterov() => nesterov = true;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
    /// The factor ρ of the norm of the parameter.
    trust_coefficient(trust: f64) => trust = trust;
    /// The term ε of the denominator.
    epsilon(epsilon: f64) => epsilon = epsilon;
}

impl Optimizer for Lars {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Lars {
    fn update(&self, pass: Update<'_, T>) {
        let Update { step, kind, params: p, grads: u, state: m, .. } = pass;
        let decay = T::of(decay_of(kind, self.decay));
        each!(u = |p| u + decay * p);
        let ratio = trust_ratio(p, u, self.epsilon);
        // Where there is no ratio, the update is not scaled at all.
        let trust = if ratio == 1.0 && (p.iter().all(|p| p.is_zero()) || u.iter().all(|u| u.is_zero())) {
            1.0
        } else {
            self.trust * ratio
        };
        let [scale, momentum] = [self.rate.rate(step) * trust, self.momentum].map(T::of);
        let u = &*u;
        if self.nesterov {
            each!(
                [p, m] = |g: u| {
                    let g = scale * g;
                    let m = momentum * m + g;
                    [p - (g + momentum * m), m]
                }
            );
        } else {
            each!(
                [p, m] = |g: u| {
                    let m = momentum * m + scale * g;
                    [p - m, m]
                }
            );
        }
    }
}
