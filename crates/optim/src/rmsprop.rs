use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each_root;

use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule, WeightDecay};

/// RMSprop (Tieleman and Hinton 2012), optionally centered (Graves 2013) and with momentum.
///
/// ```text
/// v ← α v + (1 - α) g²
/// m ← α m + (1 - α) g            centered
/// d = g / (√v + ε)               centered: g / (√(v - m²) + ε)
/// p ← p - η d                    with momentum μ: b ← μ b + d;   p ← p - η b
/// ```
///
/// Defaults are PyTorch's: α 0.99, ε 1e-8, and ε is added outside the root. Where rounding makes `v - m²` negative, it
/// counts as 0. For Keras' form, `b ← μ b + η g / √(v + ε)`, see [`keras`](Self::keras).
#[derive(Clone, Debug)]
pub struct RmsProp {
    rate: Arc<dyn Schedule>,
    alpha: f64,
    epsilon: f64,
    weight_decay: f64,
    momentum: f64,
    centered: bool,
    epsilon_inside_root: bool,
    rate_in_momentum: bool,
}

describe! {
    /// RMSprop: divides the gradient by the root of a running mean of its square.
    RmsProp = "rmsprop";
    formula "p ← p - η g / (√v + ε)";
    source "Tieleman and Hinton 2012; centered: Graves 2013";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The decay rate α of the running means.
        alpha ("rho", "decay"): 0.99, Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// The momentum μ.
        momentum: 0.0, Range::FRACTION;
        /// Whether to divide by the standard deviation of the gradient instead of its root mean square.
        centered: false;
        /// Whether ε is added inside of the root, as in Keras and optax.
        epsilon_inside_root: false;
        /// Whether the momentum is one of steps, as in Keras, and not of scaled gradients.
        rate_in_momentum: false;
    }
    presets {
        keras { lr = 1e-3, alpha = 0.9, eps = 1e-7, epsilon_inside_root = true, rate_in_momentum = true }
        optax { alpha = 0.9, epsilon_inside_root = true, rate_in_momentum = true }
    }
}

/// RMSprop with this learning rate; often 1e-2.
pub fn rmsprop(rate: impl Schedule + 'static) -> RmsProp {
    RmsProp {
        rate: Arc::new(rate),
        alpha: 0.99,
        epsilon: 1e-8,
        weight_decay: 0.0,
        momentum: 0.0,
        centered: false,
        epsilon_inside_root: false,
        rate_in_momentum: false,
    }
}

impl RmsProp {
    /// The decay rate α of the running means, in `[0, 1)` (Keras' `rho`).
    #[must_use]
    pub fn alpha(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    /// The term ε that keeps the denominator above 0.
    #[must_use]
    pub fn epsilon(self, epsilon: f64) -> Self {
        Self { epsilon, ..self }
    }

    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Self {
        Self { weight_decay: decay, ..self }
    }

    /// The momentum μ, in `[0, 1)`.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// Divides by the gradient's standard deviation instead of its root mean square.
    #[must_use]
    pub fn centered(self) -> Self {
        Self { centered: true, ..self }
    }

    /// Keras' form and defaults: α is 0.9, ε is 1e-7 and is added inside of the root, and the momentum is one of steps,
    /// `b ← μ b + η d`.
    #[must_use]
    pub fn keras(self) -> Self {
        Self { alpha: 0.9, epsilon: 1e-7, epsilon_inside_root: true, rate_in_momentum: true, ..self }
    }

    /// The learning rate, and 1: what a step and what a term of the momentum are multiplied by; the other way round in Keras'
    /// form.
    fn rates(&self, step: Step) -> [f64; 2] {
        let rate = self.rate.rate(step);
        if self.rate_in_momentum && self.momentum != 0.0 { [1.0, rate] } else { [rate, 1.0] }
    }

    /// What is added inside and outside of the root.
    fn epsilons(&self) -> [f64; 2] {
        if self.epsilon_inside_root { [self.epsilon, 0.0] } else { [0.0, self.epsilon] }
    }
}

impl Optimizer for RmsProp {
    described!(check_settings);

    fn slots(&self) -> usize {
        1 + usize::from(self.centered) + usize::from(self.momentum != 0.0)
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for RmsProp {
    fn update(&self, mut pass: Update<'_, T>) {
        if self.weight_decay != 0.0 {
            WeightDecay(self.weight_decay).update(pass.reborrow());
        }
        let [alpha, rest, momentum] = [self.alpha, 1.0 - self.alpha, self.momentum].map(T::of);
        let [rate, inner] = self.rates(pass.step).map(T::of);
        let [inside, epsilon] = self.epsilons().map(T::of);
        let zero = T::zero();
        match (self.centered, self.momentum != 0.0) {
            (false, false) => {
                let (p, grads, [v]) = pass.split();
                each_root!(
                    [p, v] = |g: grads; alpha, rest, rate, inside, epsilon| {
                        let v = alpha * v + rest * (g * g);
                        [p - rate * (g / ((v + inside).sqrt() + epsilon)), v]
                    }
                );
            }
            (false, true) => {
                let (p, grads, [v, b]) = pass.split();
                each_root!(
                    [p, v, b] = |g: grads; alpha, rest, momentum, rate, inner, inside, epsilon| {
                        let v = alpha * v + rest * (g * g);
                        let b = momentum * b + inner * (g / ((v + inside).sqrt() + epsilon));
                        [p - rate * b, v, b]
                    }
                );
            }
            (true, false) => {
                let (p, grads, [v, m]) = pass.split();
                each_root!(
                    [p, v, m] = |g: grads; zero, alpha, rest, rate, inside, epsilon| {
                        let v = alpha * v + rest * (g * g);
                        let m = alpha * m + rest * g;
                        let deviation = ((v - m * m).at_least(zero) + inside).sqrt();
                        [p - rate * (g / (deviation + epsilon)), v, m]
                    }
                );
            }
            (true, true) => {
                let (p, grads, [v, m, b]) = pass.split();
                each_root!(
                    [p, v, m, b] = |g: grads; zero, alpha, rest, momentum, rate, inner, inside, epsilon| {
                        let v = alpha * v + rest * (g * g);
                        let m = alpha * m + rest * g;
                        let deviation = ((v - m * m).at_least(zero) + inside).sqrt();
                        let b = momentum * b + inner * (g / (deviation + epsilon));
                        [p - rate * b, v, m, b]
                    }
                );
            }
        }
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        if T::of(self.epsilon) < T::min_positive_value() {
            // It may count as 0.
            return f64::INFINITY;
        }
        let [rate, inner] = self.rates(step);
        let epsilon = if self.epsilon_inside_root { self.epsilon.sqrt() } else { self.epsilon };
        let g = *grads + self.weight_decay * *params;
        let square = g * g;
        let mut change = g / epsilon;
        if !self.centered {
            // (1 - α) g² ≤ v, where the square is not so small that it counts as 0. Twice that leaves room for rounding.
            let rest = 1.0 - self.alpha;
            let small = (T::min_positive_value().as_f64() / rest).sqrt();
            change = change.min(2.0 * (rest.sqrt().recip() + small / epsilon));
        }
        let all = change;
        let Some((v, rest)) = state.split_first_mut() else { return f64::INFINITY };
        *v = v.max(square);
        let (means, momenta) = rest.split_at_mut(usize::from(self.centered));
        means.iter_mut().for_each(|m| *m = m.max(g));
        for b in momenta {
            *b = self.momentum * *b + inner * change;
            change = *b;
        }
        *params += rate * change;
        params.max(change).max(all).max(*v + square + self.epsilon)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("RmsProp").epsilon::<T>(self.epsilon)
    }
}
