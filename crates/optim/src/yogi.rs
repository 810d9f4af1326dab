use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::sign::sign;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Update, UpdateRule};

/// Yogi (Zaheer et al. 2018, algorithm 2): Adam whose denominator changes by no more than the square of the new gradient, so that
/// it does not forget large gradients at once.
///
/// ```text
/// m ← β₁ m + (1 - β₁) g                          m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← v - (1 - β₂) sign(v - g²) g²               v̂ = v / (1 - β₂ᵗ)        both from a
/// p ← p - η m̂ / (√v̂ + ε)
/// ```
///
/// Defaults are optax': β₁ 0.9, β₂ 0.999, ε 1e-3, and both means begin with a = 1e-6.
#[derive(Clone, Debug)]
pub struct Yogi {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    initial_accumulator_value: f64,
}

describe! {
    /// Yogi: Adam whose denominator changes by no more than the square of the new gradient.
    Yogi = "yogi";
    formula "p ← p - η m̂ / (√v̂ + ε), with v ← v - (1 - β₂) sign(v - g²) g²";
    source "Zaheer et al. 2018, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-3, Range::POSITIVE;
        /// What both means begin with.
        initial_accumulator_value: 1e-6, Range::NOT_NEGATIVE;
    }
}

/// Yogi with this learning rate; often 1e-2.
pub fn yogi(rate: impl Schedule + 'static) -> Yogi {
    Yogi { rate: Arc::new(rate), betas: [0.9, 0.999], epsilon: 1e-3, initial_accumulator_value: 1e-6 }
}

setters! { Yogi;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// What both means begin with, a.
    initial_accumulator(value: f64) => initial_accumulator_value = value;
}

impl Optimizer for Yogi {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Yogi {
    fn start(&self, pass: Update<'_, T>) {
        pass.state.fill(T::of(self.initial_accumulator_value));
    }

    fn update(&self, pass: Update<'_, T>) {
        let [beta1, beta2] = self.betas;
        let [of_m, of_v] = [beta1, beta2].map(|beta| correction(beta, pass.step.number()).recip());
        let rate = self.rate.rate(pass.step) * of_m;
        let [rate, root, epsilon] = [rate, of_v.sqrt(), self.epsilon].map(T::of);
        let [new1, new2] = [1.0 - beta1, 1.0 - beta2].map(T::of);
        let (p, grads, [m, v]) = pass.split();
        each!(
            [p, m, v] = |g: grads| {
                let m = m + new1 * (g - m);
                let v = v - new2 * (sign(v - g * g) * (g * g));
                [p - rate * (m / (root * v.sqrt() + epsilon)), m, v]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v] = state else { return f64::INFINITY };
        let [of_m, of_v] = self.betas.map(|beta| correction(beta, step.number()).recip());
        let g = *grads;
        let all = *m + *v + g + g * g;
        *v += (1.0 - self.betas[1]) * g * g;
        let change = quotient_bound::<T>(mean_bound(m, g), self.epsilon);
        *params += self.rate.rate(step) * of_m * change;
        params.max(change).max(all).max(of_v * *v)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Yogi").epsilon::<T>(self.epsilon)
    }
}
