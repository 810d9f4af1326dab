use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each_root;

use crate::decay::Decay;
use crate::running_mean::quotient_bound;
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule, WeightDecay};

/// Adagrad (Duchi, Hazan and Singer 2011, figure 1): divides by the root of the sum of all squares so far, so that the
/// steps of parameters with rare gradients stay large.
///
/// ```text
/// g ← g + λ p                                   weight decay
/// s ← s + g²                                    from s₀
/// p ← p - η / (1 + t δ) g / (√s + ε)            t = 0, 1, ...
/// ```
///
/// Defaults are PyTorch's: ε 1e-10, s₀ 0, and neither weight decay λ nor decay δ of the rate. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Adagrad {
    rate: Arc<dyn Schedule>,
    lr_decay: f64,
    weight_decay: f64,
    initial_accumulator_value: f64,
    epsilon: f64,
    epsilon_inside_root: bool,
}

describe! {
    /// Adagrad: divides the gradient by the root of the sum of all its squares so far.
    Adagrad = "adagrad";
    formula "p ← p - η g / (√Σg² + ε)";
    source "Duchi, Hazan and Singer 2011, figure 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The decay δ of the learning rate, which is divided by 1 + t δ in step t.
        lr_decay: 0.0, Range::NOT_NEGATIVE;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// What the sum of squares begins with.
        initial_accumulator_value: 0.0, Range::NOT_NEGATIVE;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-10, Range::POSITIVE;
        /// Whether ε is added inside of the root, as in Keras.
        epsilon_inside_root: false;
    }
    presets { keras { lr = 1e-3, initial_accumulator_value = 0.1, eps = 1e-7, epsilon_inside_root = true } }
}

/// Adagrad with this learning rate; often 1e-2.
pub fn adagrad(rate: impl Schedule + 'static) -> Adagrad {
    Adagrad {
        rate: Arc::new(rate),
        lr_decay: 0.0,
        weight_decay: 0.0,
        initial_accumulator_value: 0.0,
        epsilon: 1e-10,
        epsilon_inside_root: false,
    }
}

setters! { Adagrad;
    /// The decay δ of the learning rate, which is divided by `1 + t δ` in step t. A [`Schedule`] can do the same.
    lr_decay(decay: f64) => lr_decay = decay;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay;
    /// What the sum of squares begins with, s₀.
    initial_accumulator(value: f64) => initial_accumulator_value = value;
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// Keras' defaults: s₀ is 0.1, and ε is 1e-7 and is added inside of the root.
    keras() => initial_accumulator_value = 0.1, epsilon = 1e-7, epsilon_inside_root = true;
}

impl Adagrad {
    fn rate(&self, step: Step) -> f64 {
        self.rate.rate(step) / (1.0 + step.index as f64 * self.lr_decay)
    }
}

impl Optimizer for Adagrad {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Adagrad {
    fn start(&self, pass: Update<'_, T>) {
        pass.state.fill(T::of(self.initial_accumulator_value));
    }

    fn update(&self, mut pass: Update<'_, T>) {
        if self.weight_decay != 0.0 {
            WeightDecay(self.weight_decay).update(pass.reborrow());
        }
        let [inside, outside] =
            if self.epsilon_inside_root { [self.epsilon, 0.0] } else { [0.0, self.epsilon] };
        let [rate, inside, epsilon] = [self.rate(pass.step), inside, outside].map(T::of);
        let (p, grads, [s]) = pass.split();
        each_root!(
            [p, s] = |g: grads; rate, inside, epsilon| {
                let s = s + g * g;
                [p - rate * (g / ((s + inside).sqrt() + epsilon)), s]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [s] = state else { return f64::INFINITY };
        let g = Decay::coupled(self.weight_decay).bound(params, *grads);
        *s += g * g;
        // |g| ≤ √s, where the square is not so small that it counts as 0.
        let small = T::min_positive_value().as_f64().sqrt();
        let epsilon = if self.epsilon_inside_root { self.epsilon.sqrt() } else { self.epsilon };
        let change = quotient_bound::<T>(g, epsilon).min(2.0 + quotient_bound::<T>(small, epsilon));
        *params += self.rate(step) * change;
        params.max(change).max(*s + self.epsilon)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Adagrad").epsilon::<T>(self.epsilon)
    }
}
