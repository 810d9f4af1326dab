use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, Update, UpdateRule};

/// Optimistic gradient descent (Daskalakis et al. 2018): steps as if the gradient went on changing as it did. It converges where two
/// parties play against each other and plain descent circles.
///
/// ```text
/// p ← p - η ((α + β) g - β g₀)             g₀: of the step before; in the first step it is g
/// ```
///
/// Defaults are optax': α 1, β 1.
#[derive(Clone, Debug)]
pub struct OptimisticSgd {
    rate: Arc<dyn Schedule>,
    alpha: f64,
    beta: f64,
}

describe! {
    /// Optimistic gradient descent: steps as if the gradient went on changing as it did.
    OptimisticSgd = "optimistic_gradient_descent";
    aliases ["optimistic_gd", "optimistic_sgd"];
    formula "p ← p - η ((α + β) g - β g₀)";
    source "Daskalakis et al. 2018";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The weight α of the gradient.
        alpha: 1.0, Range::NOT_NEGATIVE;
        /// The weight β of its change.
        beta: 1.0, Range::NOT_NEGATIVE;
    }
}

/// Optimistic gradient descent with this learning rate; often 1e-2.
pub fn optimistic_sgd(rate: impl Schedule + 'static) -> OptimisticSgd {
    OptimisticSgd { rate: Arc::new(rate), alpha: 1.0, beta: 1.0 }
}

setters! { OptimisticSgd;
    /// The weight α of the gradient.
    alpha(alpha: f64) => alpha = alpha;
    /// The weight β of its change.
    beta(beta: f64) => beta = beta;
}

impl Optimizer for OptimisticSgd {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for OptimisticSgd {
    fn update(&self, pass: Update<'_, T>) {
        let beta = if pass.step.is_first() { 0.0 } else { self.beta };
        let [rate, of_new, of_old] = [self.rate.rate(pass.step), self.alpha + beta, beta].map(T::of);
        let (p, grads, [last]) = pass.split();
        each!([p, last] = |g: grads| [p - rate * (of_new * g - of_old * last), g]);
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [last] = state else { return f64::INFINITY };
        let d = (self.alpha + self.beta) * *grads + self.beta * *last;
        *last = *grads;
        *params += self.rate.rate(step) * d;
        params.max(d).max(*grads)
    }
}
