use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{each, each_root};

use crate::setters::setters;
use crate::{Bounds, Optimizer, ParamKind, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// Schedule-free Adam with weight decay (Defazio et al. 2024): no schedule of the learning rate is needed, since the mean of the
/// weights is evaluated.
///
/// ```text
/// η ← γ min(1, t / warm-up)              c = ηmax² / Σ ηmax²        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²                 d = g / (√(v / (1 - β₂ᵗ)) + ε) + λ y
/// y ← (1 - c) y + c z + η (β₁ (1 - c) - 1) d
/// z ← z - η d                            evaluated: x = y + (1 - 1/β₁) (z - y)
/// ```
///
/// The trained weights are y. Defaults are those of the authors' package: γ 0.0025, β 0.9 and 0.999, ε 1e-8, no decay, no
/// warm-up, weights ηmax². Like all decays here, λ applies to [`ParamKind::Weight`] only. Running statistics, as batch
/// normalisation has them, are those of y.
#[derive(Clone, Debug)]
pub struct ScheduleFreeAdamW {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    decay: f64,
    warmup: u64,
    weight_power: f64,
    rate_power: f64,
}

describe! {
    /// Adam with weight decay, without a schedule: the mean of the weights is evaluated.
    ScheduleFreeAdamW = "schedule_free_adamw";
    aliases ["schedule_free", "adamw_schedule_free"];
    formula "y ← (1 - c) y + c z + η (β₁ (1 - c) - 1) d; z ← z - η d; evaluated: y + (1 - 1/β₁) (z - y)";
    source "Defazio et al. 2024";
    settings {
        /// The learning rate γ.
        rate as "lr" ("learning_rate"): 0.0025;
        /// How much of y is the mean, β₁, and the decay rate of the mean of squares, β₂.
        betas: [0.9, 0.999], Range::between(0.0, 1.0, "above 0 and below 1").without_low().without_high();
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// In how many steps the learning rate rises to γ.
        warmup as "warmup_steps": 0;
        /// The weights of the mean are tʳ ηmaxᵏ: this is r.
        weight_power as "r": 0.0, Range::NOT_NEGATIVE;
        /// And this is k.
        rate_power as "weight_lr_power": 2.0, Range::NOT_NEGATIVE;
    }
    presets { keras { eps = 1e-7 } }
}

/// Schedule-free AdamW with this learning rate; often 2.5e-3.
pub fn schedule_free_adamw(rate: impl Schedule + 'static) -> ScheduleFreeAdamW {
    ScheduleFreeAdamW {
        rate: Arc::new(rate),
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        decay: 0.0,
        warmup: 0,
        weight_power: 0.0,
        rate_power: 2.0,
    }
}

setters! { ScheduleFreeAdamW;
    /// How much of y is the mean, β₁, and the decay rate of the mean of squares, β₂.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
    /// In how many steps the learning rate rises.
    warmup(steps: u64) => warmup = steps;
    /// The powers r and k of the weights tʳ ηmaxᵏ of the mean.
    weights(r: f64, k: f64) => weight_power = r, rate_power = k;
}

impl ScheduleFreeAdamW {
    fn rate_of(&self, step: Step) -> f64 {
        let warm = if step.index < self.warmup { step.number() / self.warmup as f64 } else { 1.0 };
        self.rate.rate(step) * warm
    }
}

/// Moves the weights of the mean on: the numbers are the largest rate, the sum of all weights, and the last part, c.
fn advance_mean(step: Step, rate: f64, [weight_power, rate_power]: [f64; 2], numbers: &mut [f64]) {
    let [largest, sum, part] = numbers else { return };
    *largest = largest.max(rate);
    let weight = step.number().powf(weight_power) * largest.powf(rate_power);
    *sum += weight;
    *part = if *sum > 0.0 { weight / *sum } else { 0.0 };
}

/// What is evaluated: `x = y + (1 - 1/β) (z - y)`.
fn mean<T: Real>(beta: f64, y: &mut [T], z: &[T]) {
    let part = T::of(1.0 - 1.0 / beta);
    each!(y = |z| y + part * (z - y));
}

impl Optimizer for ScheduleFreeAdamW {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn numbers(&self) -> usize {
        3
    }

    fn averages(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for ScheduleFreeAdamW {
    fn start(&self, pass: Update<'_, T>) {
        let (y, _, [z, _]) = pass.split();
        z.copy_from_slice(y);
    }

    fn advance(&self, step: Step, numbers: &mut [f64]) {
        advance_mean(step, self.rate_of(step), [self.weight_power, self.rate_power], numbers);
    }

    fn update(&self, pass: Update<'_, T>) {
        let [beta1, beta2] = self.betas;
        let part = pass.numbers.get(2).copied().unwrap_or(1.0);
        let rate = self.rate_of(pass.step);
        let root = (1.0 - beta2.powf(pass.step.number())).sqrt().recip();
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let numbers =
            [beta2, 1.0 - beta2, root, self.epsilon, decay, part, rate, rate * (beta1 * (1.0 - part) - 1.0)];
        let [beta2, new, root, epsilon, decay, part, rate, ahead] = numbers.map(T::of);
        let (y, grads, [z, v]) = pass.split();
        each_root!(
            [y, z, v] = |g: grads; beta2, new, root, epsilon, decay, part, rate, ahead| {
                let v = beta2 * v + new * (g * g);
                let d = g / (root * v.sqrt() + epsilon) + decay * y;
                [y + part * (z - y) + ahead * d, z - rate * d, v]
            }
        );
    }

    fn average(&self, pass: Update<'_, T>) {
        let (y, _, [z, _]) = pass.split();
        mean(self.betas[0], y, z);
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        if T::of(self.epsilon) < T::min_positive_value() {
            // It may count as 0.
            return f64::INFINITY;
        }
        let [z, v] = state else { return f64::INFINITY };
        let square = *grads * *grads;
        *v = v.max(square);
        // (1 - β₂) g² ≤ v, where the square is not so small that it counts as 0. Twice that leaves room for rounding.
        let rest = 1.0 - self.betas[1];
        let small = (T::min_positive_value().as_f64() / rest).sqrt();
        let d = (*grads / self.epsilon).min(2.0 * (rest.sqrt().recip() + small / self.epsilon));
        let d = d + self.decay * *params;
        let change = self.rate_of(step).abs() * d;
        *params = params.max(*z) + change;
        *z += change;
        (2.0 * *params).max(d).max((*v + square) / rest)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        chainrule_core::SettingCheck("ScheduleFreeAdamW").epsilon::<T>(self.epsilon)
    }
}

/// Schedule-free stochastic gradient descent (Defazio et al. 2024): the mean of the weights is evaluated, with a large constant
/// learning rate.
///
/// ```text
/// η ← γ min(1, t / warm-up)              c = ηmax² / Σ ηmax²        d = g + λ y
/// y ← (1 - c) y + c z + η (β (1 - c) - 1) d
/// z ← z - η d                            evaluated: x = y + (1 - 1/β) (z - y)
/// ```
///
/// Defaults are those of the authors' package: γ 1, β 0.9. λ applies to [`ParamKind::Weight`] only.
#[derive(Clone, Debug)]
pub struct ScheduleFreeSgd {
    rate: Arc<dyn Schedule>,
    beta: f64,
    decay: f64,
    warmup: u64,
    weight_power: f64,
    rate_power: f64,
}

describe! {
    /// Stochastic gradient descent without a schedule: the mean of the weights is evaluated.
    ScheduleFreeSgd = "schedule_free_sgd";
    aliases ["sgd_schedule_free"];
    formula "y ← (1 - c) y + c z + η (β (1 - c) - 1) d; z ← z - η d; evaluated: y + (1 - 1/β) (z - y)";
    source "Defazio et al. 2024, algorithm 1";
    settings {
        /// The learning rate γ.
        rate as "lr" ("learning_rate"): 1.0;
        /// How much of y is the mean, β.
        beta as "momentum": 0.9, Range::between(0.0, 1.0, "above 0 and below 1").without_low().without_high();
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// In how many steps the learning rate rises to γ.
        warmup as "warmup_steps": 0;
        /// The weights of the mean are tʳ ηmaxᵏ: this is r.
        weight_power as "r": 0.0, Range::NOT_NEGATIVE;
        /// And this is k.
        rate_power as "weight_lr_power": 2.0, Range::NOT_NEGATIVE;
    }
}

/// Schedule-free stochastic gradient descent with this learning rate; often 1.
pub fn schedule_free_sgd(rate: impl Schedule + 'static) -> ScheduleFreeSgd {
    ScheduleFreeSgd {
        rate: Arc::new(rate),
        beta: 0.9,
        decay: 0.0,
        warmup: 0,
        weight_power: 0.0,
        rate_power: 2.0,
    }
}

setters! { ScheduleFreeSgd;
    /// How much of y is the mean, β.
    momentum(beta: f64) => beta = beta;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
    /// In how many steps the learning rate rises.
    warmup(steps: u64) => warmup = steps;
    /// The powers r and k of the weights tʳ ηmaxᵏ of the mean.
    weights(r: f64, k: f64) => weight_power = r, rate_power = k;
}

impl ScheduleFreeSgd {
    fn rate_of(&self, step: Step) -> f64 {
        let warm = if step.index < self.warmup { step.number() / self.warmup as f64 } else { 1.0 };
        self.rate.rate(step) * warm
    }
}

impl Optimizer for ScheduleFreeSgd {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn numbers(&self) -> usize {
        3
    }

    fn averages(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for ScheduleFreeSgd {
    fn start(&self, pass: Update<'_, T>) {
        let (y, _, [z]) = pass.split();
        z.copy_from_slice(y);
    }

    fn advance(&self, step: Step, numbers: &mut [f64]) {
        advance_mean(step, self.rate_of(step), [self.weight_power, self.rate_power], numbers);
    }

    fn update(&self, pass: Update<'_, T>) {
        let part = pass.numbers.get(2).copied().unwrap_or(1.0);
        let rate = self.rate_of(pass.step);
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let numbers = [decay, part, rate, rate * (self.beta * (1.0 - part) - 1.0)];
        let [decay, part, rate, ahead] = numbers.map(T::of);
        let (y, grads, [z]) = pass.split();
        each!(
            [y, z] = |g: grads| {
                let d = g + decay * y;
                [y + part * (z - y) + ahead * d, z - rate * d]
            }
        );
    }

    fn average(&self, pass: Update<'_, T>) {
        let (y, _, [z]) = pass.split();
        mean(self.beta, y, z);
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let Some(z) = state.first_mut() else { return f64::INFINITY };
        let change = self.rate_of(step).abs() * (*grads + self.decay * *params);
        let largest = params.max(*z) + change;
        *params = largest;
        *z += change;
        2.0 * largest.max(*grads + self.decay * *params)
    }
}
