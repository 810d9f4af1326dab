use std::sync::Arc;

use chainrule_core::{describe, described};
use chainrule_tensor::each;

use crate::sign::sign;
use crate::{Bounds, Optimizer, Real, Schedule, Update, UpdateRule};

/// Sign descent (Bernstein et al. 2018, algorithm 1): `p ← p - η sign(g)`. See [`Signum`](crate::Signum) for one with momentum.
#[derive(Clone, Debug)]
pub struct SignSgd {
    rate: Arc<dyn Schedule>,
}

describe! {
    /// Sign descent: every parameter moves by the learning rate, against the sign of its gradient.
    SignSgd = "sign_sgd";
    formula "p ← p - η sign(g)";
    source "Bernstein et al. 2018, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
    }
}

/// Sign descent with this learning rate; often 1e-3.
pub fn sign_sgd(rate: impl Schedule + 'static) -> SignSgd {
    SignSgd { rate: Arc::new(rate) }
}

impl Optimizer for SignSgd {
    described!(check_settings);

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for SignSgd {
    fn update(&self, pass: Update<'_, T>) {
        let rate = T::of(self.rate.rate(pass.step));
        let (p, grads, []) = pass.split();
        each!(p = |g: grads| p - rate * sign(g));
    }

    fn bound(&self, Bounds { step, params, .. }: Bounds<'_>) -> f64 {
        *params += self.rate.rate(step);
        *params
    }
}
