use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Seed, each};

use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, Step, Update, UpdateRule, Whole};

/// Gradient descent with noise (Neelakantan et al. 2015): adds normal noise to the gradients, less and less of it.
///
/// ```text
/// g ← g + √(ν / t^γ) ξ             t = 1, 2, ...    ξ standard normal
/// p ← p - η g
/// ```
///
/// Defaults are optax': the variance ν is 0.01 and γ 0.55. The noise is determined by the seed, the step and the index of a
/// parameter, and so the same on any number of threads.
#[derive(Clone, Debug)]
pub struct NoisySgd {
    rate: Arc<dyn Schedule>,
    eta: f64,
    gamma: f64,
    seed: u64,
}

describe! {
    /// Gradient descent with normal noise on the gradients, less and less of it.
    NoisySgd = "noisy_sgd";
    formula "p ← p - η (g + √(ν / t^γ) ξ)";
    source "Neelakantan et al. 2015";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The variance ν of the noise in the first step.
        eta: 0.01, Range::NOT_NEGATIVE;
        /// The power γ with which the variance decays.
        gamma: 0.55, Range::NOT_NEGATIVE;
        /// The seed of the noise.
        seed ("key"): 0;
    }
}

/// Gradient descent with noise, with this learning rate; often 1e-2.
pub fn noisy_sgd(rate: impl Schedule + 'static) -> NoisySgd {
    NoisySgd { rate: Arc::new(rate), eta: 0.01, gamma: 0.55, seed: 0 }
}

setters! { NoisySgd;
    /// The variance ν of the noise in the first step.
    variance(variance: f64) => eta = variance;
    /// The power γ with which the variance decays.
    gamma(gamma: f64) => gamma = gamma;
    /// The seed of the noise.
    seed(seed: u64) => seed = seed;
}

/// No normal number of [`Seed`] is larger: √(2 ln 2⁵³) = 8.58.
const LARGEST_NORMAL: f64 = 8.6;

impl NoisySgd {
    /// The standard deviation of the noise.
    fn deviation(&self, step: Step) -> f64 {
        (self.eta / step.number().powf(self.gamma)).sqrt()
    }
}

impl Optimizer for NoisySgd {
    described!(check_settings);

    fn needs_all_gradients(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for NoisySgd {
    // On all gradients at once, where the index of a parameter does not depend on how they are cut.
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let deviation = self.deviation(whole.step);
        let mut rng = Seed(self.seed).child(whole.step.index).rng();
        whole.for_each_gradient(|grads| {
            grads.iter_mut().for_each(|g| *g += T::of(deviation * rng.normal()));
        });
    }

    fn update(&self, pass: Update<'_, T>) {
        let rate = T::of(self.rate.rate(pass.step));
        let (p, grads, []) = pass.split();
        each!(p = |g: grads| p - rate * g);
    }

    fn bound(&self, Bounds { step, params, grads, .. }: Bounds<'_>) -> f64 {
        *grads += LARGEST_NORMAL * self.deviation(step);
        *params += self.rate.rate(step) * *grads;
        params.max(*grads)
    }
}
