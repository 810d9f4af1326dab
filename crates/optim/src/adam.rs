use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::vector::AdamStep;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule, WeightDecay, vector};

/// Adam (Kingma and Ba 2015, algorithm 1).
///
/// ```text
/// m ← β₁ m + (1 - β₁) g          m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²         v̂ = v / (1 - β₂ᵗ)
/// p ← p - η m̂ / (√v̂ + ε)
/// ```
///
/// Defaults are PyTorch's: β₁ 0.9, β₂ 0.999, ε 1e-8, no weight decay. Its [`weight_decay`](Self::weight_decay) is coupled, that of
/// [`AdamW`](crate::AdamW) is not.
#[derive(Clone, Debug)]
pub struct Adam {
    pub(crate) rate: Arc<dyn Schedule>,
    pub(crate) betas: [f64; 2],
    pub(crate) epsilon: f64,
    pub(crate) weight_decay: f64,
    pub(crate) amsgrad: bool,
    pub(crate) uncorrected_epsilon: bool,
}

describe! {
    /// Adam: steps by running means of the gradient and of its square.
    Adam = "adam";
    formula "p ← p - η m̂ / (√v̂ + ε)";
    source "Kingma and Ba 2015, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// Whether the largest v̂ so far is in the denominator, as in AMSGrad.
        amsgrad: false;
        /// Whether ε is added before the correction, as in Keras.
        uncorrected_epsilon: false;
    }
    presets { keras { eps = 1e-7, uncorrected_epsilon = true } }
}

/// Adam with this learning rate; often 1e-3.
pub fn adam(rate: impl Schedule + 'static) -> Adam {
    let rate = Arc::new(rate);
    Adam {
        rate,
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
        amsgrad: false,
        uncorrected_epsilon: false,
    }
}

/// The update where the CPU has no kernel for it.
fn formula<T: Real>(step: AdamStep<T>, p: &mut [T], grads: &[T], [m, v]: [&mut [T]; 2]) {
    let AdamStep { one_minus_betas: [new_m, new_v], rate, epsilon, shrink } = step;
    let largest = T::max_value();
    each!(
        [p, m, v] = |g: grads| {
            let m = m + new_m * (g - m);
            let v = v + new_v * (g * g - v);
            let v = if v > largest { largest } else { v }; // NaN stays NaN
            [shrink * p - rate * (m / (v.sqrt() + epsilon)), m, v]
        }
    );
}

/// The same with the largest v so far, w, in the denominator.
fn amsgrad_formula<T: Real>(step: AdamStep<T>, p: &mut [T], grads: &[T], [m, v, w]: [&mut [T]; 3]) {
    let AdamStep { one_minus_betas: [new_m, new_v], rate, epsilon, shrink } = step;
    each!(
        [p, m, v, w] = |g: grads| {
            let m = m + new_m * (g - m);
            let v = v + new_v * (g * g - v);
            let w = if w > v { w } else { v }; // NaN stays NaN
            [shrink * p - rate * (m / (w.sqrt() + epsilon)), m, v, w]
        }
    );
}

impl Adam {
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    #[must_use]
    pub fn betas(self, beta1: f64, beta2: f64) -> Self {
        Self { betas: [beta1, beta2], ..self }
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

    /// Takes the largest v so far in place of v: see [`Amsgrad`](crate::Amsgrad). It has one slot more of state.
    #[must_use]
    pub fn amsgrad(self) -> Self {
        Self { amsgrad: true, ..self }
    }

    /// Keras' defaults: ε is 1e-7 and is added to √v before v's correction instead of to √v̂ (the ε̂ at the end of
    /// section 2 of the paper), so it weighs more in the first steps.
    #[must_use]
    pub fn keras(self) -> Self {
        Self { epsilon: 1e-7, uncorrected_epsilon: true, ..self }
    }

    /// The numbers of a step in which the parameters are first multiplied by `shrink`.
    #[inline]
    fn numbers<T: Real>(&self, step: Step, shrink: f64) -> AdamStep<T> {
        let rate = self.rate.rate(step);
        let t = step.number();
        // η m̂ / (√v̂ + ε) = step m / (√v + epsilon), with both corrections taken out of the loop.
        let [beta1, beta2] = self.betas;
        let correction = (1.0 - beta2.powf(t)).sqrt();
        let step = rate * correction / (1.0 - beta1.powf(t));
        let epsilon = if self.uncorrected_epsilon { self.epsilon } else { self.epsilon * correction };
        let one_minus_betas = [1.0 - beta1, 1.0 - beta2].map(T::of);
        let [rate, epsilon, shrink] = [step, epsilon, shrink].map(T::of);
        AdamStep { one_minus_betas, rate, epsilon, shrink }
    }

    /// One step in which the parameters are first multiplied by `shrink`.
    #[inline]
    pub(crate) fn advance<T: Real>(&self, pass: Update<'_, T>, shrink: f64) {
        let numbers = self.numbers(pass.step, shrink);
        if self.amsgrad {
            let (p, grads, slots) = pass.split();
            return amsgrad_formula(numbers, p, grads, slots);
        }
        let (p, grads, [m, v]) = pass.split();
        if !vector::adam_kernel(numbers, p, grads, [&mut *m, &mut *v]) {
            formula(numbers, p, grads, [m, v]);
        }
    }

    /// [`UpdateRule::bound`] of such a step.
    pub(crate) fn bound_of<T: Real>(&self, bounds: Bounds<'_>, shrink: f64) -> f64 {
        let Bounds { step, params, grads, state } = bounds;
        let AdamStep::<T> { rate, epsilon, shrink, .. } = self.numbers(step, shrink);
        let [m, v, largest @ ..] = state else { return f64::INFINITY };
        let g = *grads;
        let all = *m + *v + g + g * g;
        *m = m.max(g);
        *v = v.max(g * g);
        largest.iter_mut().for_each(|w| *w = w.max(*v));
        if epsilon < T::min_positive_value() {
            // It may count as 0.
            return f64::INFINITY;
        }
        // By Cauchy and Schwarz |m| ≤ c √v for a state that began with zeros, where no square was so small that it counted as 0.
        // Twice that leaves room for rounding.
        let [beta1, beta2] = self.betas;
        let [rest1, rest2] = [1.0 - beta1, 1.0 - beta2];
        let decay = 1.0 - beta1.powi(2) / beta2;
        let c = if decay > 0.0 { rest1 / (rest2 * decay).sqrt() } else { f64::INFINITY };
        let small = (T::min_positive_value().as_f64() / rest2).sqrt();
        let change = (*m / epsilon.as_f64()).min(2.0 * (c + small / epsilon.as_f64()));
        *params = shrink.as_f64().abs() * *params + rate.as_f64().abs() * change;
        largest.iter().fold(all, |all, w| all.max(*w)).max(change).max(*params)
    }
}

impl Optimizer for Adam {
    described!(check_settings);

    fn slots(&self) -> usize {
        2 + usize::from(self.amsgrad)
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Adam {
    fn update(&self, mut pass: Update<'_, T>) {
        if self.weight_decay != 0.0 {
            WeightDecay(self.weight_decay).update(pass.reborrow());
        }
        self.advance(pass, 1.0);
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        *bounds.grads += self.weight_decay * *bounds.params;
        self.bound_of::<T>(bounds, 1.0)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Adam").epsilon::<T>(self.epsilon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some steps of the formula from zeros, in this type.
    fn trained<T: Real>(shrink: f64, grads: &[f64]) -> [Vec<T>; 3] {
        let [rate, epsilon, shrink] = [0.01, 1e-8, shrink].map(T::of);
        let step = AdamStep { one_minus_betas: [0.1, 0.001].map(T::of), rate, epsilon, shrink };
        let [mut p, mut m, mut v] = [1.0, 0.0, 0.0].map(|value| vec![T::of(value); grads.len()]);
        for factor in [1.0, -0.5, 3.0, 0.0] {
            let grads: Vec<T> = grads.iter().map(|&g| T::of(g * factor)).collect();
            formula(step, &mut p, &grads, [&mut m, &mut v]);
        }
        [p, m, v]
    }

    #[test]
    fn single_precision_is_as_exact_as_it_can_be() {
        for len in [0, 1, 15, 16, 17, 100] {
            let grads: Vec<f64> = (0..len).map(|i| f64::from(i).sin() * 10f64.powi(i % 12 - 8)).collect();
            for shrink in [1.0, 0.9] {
                let (found, right) = (trained::<f32>(shrink, &grads), trained::<f64>(shrink, &grads));
                for (found, right) in found.iter().flatten().zip(right.iter().flatten()) {
                    assert!((f64::from(*found) - right).abs() <= 1e-6 * right.abs(), "{found} {right}");
                }
            }
        }
    }

    #[test]
    fn numbers_at_the_ends_of_the_range() {
        // Squares beyond the range, none at all, and the smallest.
        let [p, _, v] = trained::<f32>(1.0, &[1e25, 0.0, 1e-30]);
        assert!(p.iter().chain(&v).all(|value| value.is_finite()), "{p:?} {v:?}");
        assert_eq!((p[1], v[1]), (1.0, 0.0));
        let [p, ..] = trained::<f32>(1.0, &[f64::NAN]);
        assert!(p[0].is_nan(), "a NaN is not hidden");
    }
}
