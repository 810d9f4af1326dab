use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::mean_bound;
use crate::setters::setters;
use crate::sign::sign;
use crate::{Bounds, Optimizer, Real, Schedule, Update, UpdateRule};

/// Signum (Bernstein et al. 2018, algorithm 2): sign descent with momentum.
///
/// ```text
/// p ← p - η λ p                    weight decay
/// m ← β m + (1 - β) g
/// p ← p - η sign(m)
/// ```
///
/// The default is optax': β 0.9. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Signum {
    rate: Arc<dyn Schedule>,
    beta: f64,
    weight_decay: f64,
}

describe! {
    /// Signum: every parameter moves by the learning rate, against the sign of its momentum.
    Signum = "signum";
    formula "p ← p - η sign(m)";
    source "Bernstein et al. 2018, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rate β of the momentum.
        beta ("momentum"): 0.9, Range::FRACTION;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// Signum with this learning rate; often 1e-3.
pub fn signum(rate: impl Schedule + 'static) -> Signum {
    Signum { rate: Arc::new(rate), beta: 0.9, weight_decay: 0.0 }
}

setters! { Signum;
    /// The decay rate β of the momentum, in `[0, 1)`.
    beta(beta: f64) => beta = beta;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Optimizer for Signum {
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

impl<T: Real> UpdateRule<T> for Signum {
    fn update(&self, pass: Update<'_, T>) {
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let [rate, new] = [rate, 1.0 - self.beta].map(T::of);
        let (p, grads, [m]) = pass.split();
        each!(
            [p, m] = |g: grads| {
                let m = m + new * (g - m);
                [p - (lost * p + rate * sign(m)), m]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        *params += rate;
        params.max(*m + g).max(mean_bound(m, g))
    }
}
