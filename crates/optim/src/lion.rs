use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::mean_bound;
use crate::setters::setters;
use crate::sign::sign;
use crate::{Bounds, Optimizer, Real, Schedule, Update, UpdateRule};

/// Lion (Chen et al. 2023, algorithm 2): every parameter moves by the learning rate, in the direction of the sign of a mean.
///
/// ```text
/// p ← p - η λ p                               weight decay
/// p ← p - η sign(β₁ m + (1 - β₁) g)
/// m ← β₂ m + (1 - β₂) g
/// ```
///
/// Its learning rate is usually 3 to 10 times smaller than Adam's, and its weight decay as many times larger. Defaults are
/// Keras': β₁ 0.9, β₂ 0.99, no decay. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Lion {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    weight_decay: f64,
}

describe! {
    /// Lion: steps by the sign of a running mean of the gradient.
    Lion = "lion";
    formula "p ← p - η sign(β₁ m + (1 - β₁) g)";
    source "Chen et al. 2023, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates: β₁ of the mean that gives the direction, β₂ of the mean that is kept.
        betas: [0.9, 0.99], Range::FRACTION;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
    presets { optax { weight_decay = 1e-3 } }
}

/// Lion with this learning rate; often 1e-4.
pub fn lion(rate: impl Schedule + 'static) -> Lion {
    Lion { rate: Arc::new(rate), betas: [0.9, 0.99], weight_decay: 0.0 }
}

setters! { Lion;
    /// The decay rates: β₁ of the mean that gives the direction, β₂ of the mean that is kept; both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The weight decay λ; it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Optimizer for Lion {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Lion {
    fn update(&self, pass: Update<'_, T>) {
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let [rate, new1, new2] = [rate, 1.0 - self.betas[0], 1.0 - self.betas[1]].map(T::of);
        let (p, grads, [m]) = pass.split();
        each!([p, m] = |g: grads| [p - (lost * p + rate * sign(m + new1 * (g - m))), m + new2 * (g - m)]);
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        *params += rate;
        params.max(*m + g).max(mean_bound(m, g))
    }
}
