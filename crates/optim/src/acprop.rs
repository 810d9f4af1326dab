use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// ACProp (Zhuang et al. 2021, algorithm 1): divides each gradient by how far the gradients before it were from their mean.
///
/// ```text
/// p ← p - η λ p                                         weight decay
/// p ← p - η g / (√ŝ + ε)                                ŝ = s / (1 - β₂ᵗ) of the steps before; in the first step 1
/// s ← β₂ s + (1 - β₂) (g - m)² + ε₀                     t = 1, 2, ...
/// m ← β₁ m + (1 - β₁) g
/// ```
///
/// Defaults are optax': β₁ 0.9, β₂ 0.999, ε 1e-16, ε₀ 1e-16. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct AcProp {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    epsilon_root: f64,
    weight_decay: f64,
}

describe! {
    /// ACProp: divides each gradient by how far the gradients before it were from their mean.
    AcProp = "acprop";
    formula "p ← p - η g / (√ŝ + ε), with s the running mean of (g - m)² before this step";
    source "Zhuang et al. 2021, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that is added to the denominator.
        epsilon as "eps" ("epsilon"): 1e-16, Range::NOT_NEGATIVE;
        /// The term ε₀ that is added to the mean of squares in each step.
        epsilon_root as "eps_root": 1e-16, Range::POSITIVE;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// ACProp with this learning rate; often 1e-3.
pub fn acprop(rate: impl Schedule + 'static) -> AcProp {
    let rate = Arc::new(rate);
    AcProp { rate, betas: [0.9, 0.999], epsilon: 1e-16, epsilon_root: 1e-16, weight_decay: 0.0 }
}

setters! { AcProp;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that is added to the denominator.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The term ε₀ that is added to the mean of squares in each step, above 0.
    epsilon_root(epsilon: f64) => epsilon_root = epsilon;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl AcProp {
    /// `[root, 1]`: what √s is multiplied by, and what is added to it in the first step, when s is 0.
    fn denominator(&self, step: Step) -> [f64; 2] {
        if step.is_first() {
            return [0.0, 1.0];
        }
        [correction(self.betas[1], step.index as f64).sqrt().recip(), 0.0]
    }
}

impl Optimizer for AcProp {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for AcProp {
    fn update(&self, pass: Update<'_, T>) {
        let rate = self.rate.rate(pass.step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let [root, first] = self.denominator(pass.step);
        let [rate, root, epsilon] = [rate, root, first + self.epsilon].map(T::of);
        let [beta1, beta2] = self.betas;
        let [new1, new2, floor] = [1.0 - beta1, 1.0 - beta2, self.epsilon_root].map(T::of);
        let (p, grads, [m, s]) = pass.split();
        each!(
            [p, m, s] = |g: grads| {
                let p = p - (lost * p + rate * (g / (root * s.sqrt() + epsilon)));
                let s = s + new2 * ((g - m) * (g - m) - s) + floor;
                [p, m + new1 * (g - m), s]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, s] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = Decay::decoupled(self.weight_decay, rate).bound(params, *grads);
        let [root, first] = self.denominator(step);
        // Every step before has added ε₀. Half of the root leaves room for rounding.
        let change = quotient_bound::<T>(g, first + root * 0.5 * self.epsilon_root.sqrt());
        *params += rate * change;
        let far = *m + g;
        mean_bound(m, g);
        let all = root * s.sqrt() + far + far * far + *s;
        mean_bound(s, far * far);
        *s += self.epsilon_root;
        params.max(change).max(all).max(*s)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        let ok = T::of(self.epsilon_root) > T::zero();
        let allowed = "a finite number above 0, also in the precision of the parameters";
        SettingCheck("AcProp").range(ok, "eps_root", self.epsilon_root, allowed)
    }
}
