use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::mean_bound;
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// Adadelta (Zeiler 2012, algorithm 1): the units of its steps are those of the parameters, so it needs no learning rate.
///
/// ```text
/// g ← g + λ p                              weight decay
/// v ← ρ v + (1 - ρ) g²
/// d = g √(u + ε) / √(v + ε)
/// u ← ρ u + (1 - ρ) d²
/// p ← p - η d
/// ```
///
/// Defaults are PyTorch's: ρ 0.9, ε 1e-6, and a learning rate of 1. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Adadelta {
    rate: Arc<dyn Schedule>,
    rho: f64,
    epsilon: f64,
    weight_decay: f64,
}

describe! {
    /// Adadelta: scales the gradient by the ratio of the usual step to the usual gradient.
    Adadelta = "adadelta";
    formula "p ← p - η g √(E[d²] + ε) / √(E[g²] + ε)";
    source "Zeiler 2012, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 1.0;
        /// The decay rate ρ of the running means.
        rho: 0.9, Range::FRACTION;
        /// The term ε that keeps the denominator above 0 and lets the first steps begin.
        epsilon as "eps" ("epsilon"): 1e-6, Range::POSITIVE;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
    presets { keras { lr = 1e-3, rho = 0.95, eps = 1e-7 } }
}

/// Adadelta with this learning rate; 1 is the method as it was published.
pub fn adadelta(rate: impl Schedule + 'static) -> Adadelta {
    Adadelta { rate: Arc::new(rate), rho: 0.9, epsilon: 1e-6, weight_decay: 0.0 }
}

setters! { Adadelta;
    /// The decay rate ρ of the running means, in `[0, 1)`.
    rho(rho: f64) => rho = rho;
    /// The term ε that keeps the denominator above 0 and lets the first steps begin.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay;
    /// Keras' defaults: ρ is 0.95 and ε is 1e-7. (Its learning rate is 0.001, with which it is slow.)
    keras() => rho = 0.95, epsilon = 1e-7;
}

impl Optimizer for Adadelta {
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

impl<T: Real> UpdateRule<T> for Adadelta {
    fn update(&self, pass: Update<'_, T>) {
        let [decay, _] = Decay::coupled(self.weight_decay).numbers::<T>(pass.kind);
        let [rate, new, epsilon] = [self.rate.rate(pass.step), 1.0 - self.rho, self.epsilon].map(T::of);
        let (p, grads, [v, u]) = pass.split();
        each!(
            [p, v, u] = |g: grads| {
                let g = g + decay * p;
                let v = v + new * (g * g - v);
                let d = ((u + epsilon) / (v + epsilon)).sqrt() * g;
                [p - rate * d, v, u + new * (d * d - u)]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [v, u] = state else { return f64::INFINITY };
        let g = Decay::coupled(self.weight_decay).bound(params, *grads);
        mean_bound(v, g * g);
        if T::of(self.epsilon) < T::min_positive_value() {
            // It may count as 0.
            return f64::INFINITY;
        }
        // (1 - ρ) g² ≤ v, so |g| / √(v + ε) ≤ 1 / √(1 - ρ). Twice that leaves room for rounding.
        let quotient = (g / self.epsilon.sqrt()).min(2.0 / (1.0 - self.rho).sqrt());
        let scale = (*u + self.epsilon).sqrt();
        let d = scale * quotient;
        mean_bound(u, d * d);
        *params += self.rate.rate(step) * d;
        params.max(scale * scale / self.epsilon).max(d).max(*v + *u + g * g + self.epsilon)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Adadelta").epsilon::<T>(self.epsilon)
    }
}
