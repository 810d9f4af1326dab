use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each_root;

use crate::decay::Decay;
use crate::running_mean::quotient_bound;
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule, WeightDecay};

/// MADGRAD (Defazio and Jelassi 2022, algorithm 1): dual averaging from the first parameters, with cube roots of sums of squares.
///
/// ```text
/// g ← g + λ p                              weight decay
/// c = (η + ε) √(t + 1)                     t = 0, 1, ...
/// s ← s + c g
/// v ← v + c g²
/// p ← μ p + (1 - μ) (p₀ - s / (∛v + ε))
/// ```
///
/// Defaults are optax': momentum μ 0.9 and ε 1e-6. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only. p₀ is the
/// parameter before the first step.
#[derive(Clone, Debug)]
pub struct Madgrad {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    epsilon: f64,
    weight_decay: f64,
}

describe! {
    /// MADGRAD: dual averaging from the first parameters, with cube roots of sums of squares.
    Madgrad = "madgrad";
    formula "p ← μ p + (1 - μ) (p₀ - Σcg / (∛Σcg² + ε)), with c = η √t";
    source "Defazio and Jelassi 2022, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The momentum μ.
        momentum: 0.9, Range::FRACTION;
        /// The term ε that keeps the denominator above 0; it is added to the learning rate as well.
        epsilon as "eps" ("epsilon"): 1e-6, Range::POSITIVE;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// MADGRAD with this learning rate; often 1e-2.
pub fn madgrad(rate: impl Schedule + 'static) -> Madgrad {
    Madgrad { rate: Arc::new(rate), momentum: 0.9, epsilon: 1e-6, weight_decay: 0.0 }
}

setters! { Madgrad;
    /// The momentum μ, in `[0, 1)`.
    momentum(momentum: f64) => momentum = momentum;
    /// The term ε that keeps the denominator above 0; it is added to the learning rate as well.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Madgrad {
    /// c of a step.
    fn weight(&self, step: Step) -> f64 {
        (self.rate.rate(step) + self.epsilon) * step.number().sqrt()
    }
}

impl Optimizer for Madgrad {
    described!(check_settings);

    fn slots(&self) -> usize {
        3
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Madgrad {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [_, _, first]) = pass.split();
        first.copy_from_slice(p);
    }

    fn update(&self, mut pass: Update<'_, T>) {
        if self.weight_decay != 0.0 {
            WeightDecay(self.weight_decay).update(pass.reborrow());
        }
        let [c, new, epsilon] = [self.weight(pass.step), 1.0 - self.momentum, self.epsilon].map(T::of);
        let (p, grads, [s, v, first]) = pass.split();
        each_root!(
            [p, s, v, first] = |g: grads; c, new, epsilon| {
                let s = s + c * g;
                let v = v + c * (g * g);
                [p + new * (first - p - s / (v.cbrt() + epsilon)), s, v, first]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [s, v, first] = state else { return f64::INFINITY };
        let g = Decay::coupled(self.weight_decay).bound(params, *grads);
        let c = self.weight(step);
        *first = first.max(*params);
        *s += c * g;
        *v += c * (g * g);
        let far = quotient_bound::<T>(*s, self.epsilon);
        let all = far + *first + *params + g * g;
        *params = params.max(*first + far);
        params.max(all).max(*v).max(*s)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Madgrad").epsilon::<T>(self.epsilon)
    }
}
