use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, Update, UpdateRule, vector};

/// Fromage (Bernstein et al. 2020): each parameter turns by the same angle, and keeps its norm.
///
/// ```text
/// p ← (p - η ‖p‖ / ‖g‖ g) / √(1 + η²)
/// ```
///
/// Norms count as at least 1e-6, as in optax. With η = 0.01 it rarely needs tuning.
#[derive(Clone, Debug)]
pub struct Fromage {
    rate: Arc<dyn Schedule>,
    min_norm: f64,
}

describe! {
    /// Turns each parameter by the same angle, and keeps its norm.
    Fromage = "fromage";
    formula "p ← (p - η ‖p‖ / ‖g‖ g) / √(1 + η²)";
    source "Bernstein et al. 2020, algorithm 1";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.01;
        /// The norm that parameters and gradients count as having at least.
        min_norm: 1e-6, Range::POSITIVE;
    }
}

/// Fromage with this learning rate; often 0.01.
pub fn fromage(rate: impl Schedule + 'static) -> Fromage {
    Fromage { rate: Arc::new(rate), min_norm: 1e-6 }
}

setters! { Fromage;
    /// The norm that parameters and gradients count as having at least.
    min_norm(norm: f64) => min_norm = norm;
}

impl Optimizer for Fromage {
    described!(check_settings);

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Fromage {
    fn update(&self, Update { step, params: p, grads, .. }: Update<'_, T>) {
        let rate = self.rate.rate(step);
        let [weights, gradient] = [vector::norm(p), vector::norm(grads)].map(|norm| norm.max(self.min_norm));
        let shrink = 1.0 / (1.0 + rate * rate).sqrt();
        let [shrink, scale] = [shrink, shrink * rate * weights / gradient].map(T::of);
        let grads = &*grads;
        each!(p = |g: grads| shrink * p - scale * g);
    }
}
