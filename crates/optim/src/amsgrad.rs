use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::running_mean::{correction, mean_bound, quotient_bound};
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// AMSGrad (Reddi, Kale and Kumar 2018, algorithm 2): Adam whose denominator never becomes smaller.
///
/// ```text
/// g ← g + λ p                             weight decay; decoupled: p ← p - η λ p
/// m ← β₁ m + (1 - β₁) g                   m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// v ← β₂ v + (1 - β₂) g²
/// w ← max(w, v)                           ŵ = w / (1 - β₂ᵗ)
/// p ← p - η m̂ / (√ŵ + ε)
/// ```
///
/// This is `amsgrad=True` of PyTorch's and Keras' Adam, which [`Adam::amsgrad`](crate::Adam::amsgrad) is as well; defaults are PyTorch's. optax takes the maximum of the corrected v̂
/// instead. λ applies to [`ParamKind::Weight`](crate::ParamKind::Weight) only.
#[derive(Clone, Debug)]
pub struct Amsgrad {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
    decoupled_weight_decay: bool,
    uncorrected_epsilon: bool,
}

describe! {
    /// AMSGrad: Adam whose denominator never becomes smaller.
    Amsgrad = "amsgrad";
    formula "p ← p - η m̂ / (√max(v̂) + ε)";
    source "Reddi, Kale and Kumar 2018, algorithm 2";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁, β₂ of the two means.
        betas: [0.9, 0.999], Range::FRACTION;
        /// The term ε that keeps the denominator above 0.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
        /// Whether the weight decay is decoupled, as in AdamW, and not part of the gradient.
        decoupled_weight_decay: false;
        /// Whether ε is added before the correction, as in Keras.
        uncorrected_epsilon: false;
    }
    presets { keras { eps = 1e-7, uncorrected_epsilon = true } }
}

/// AMSGrad with this learning rate; often 1e-3.
pub fn amsgrad(rate: impl Schedule + 'static) -> Amsgrad {
    Amsgrad {
        rate: Arc::new(rate),
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        weight_decay: 0.0,
        decoupled_weight_decay: false,
        uncorrected_epsilon: false,
    }
}

setters! { Amsgrad;
    /// The decay rates β₁ and β₂ of the two running means, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The term ε that keeps the denominator above 0.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay, decoupled_weight_decay = false;
    /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
    decoupled_weight_decay(decay: f64) => weight_decay = decay, decoupled_weight_decay = true;
    /// Keras' defaults: those of [`Adam::keras`](crate::Adam::keras).
    keras() => epsilon = 1e-7, uncorrected_epsilon = true;
}

impl Amsgrad {
    /// `[rate, epsilon]` of `p ← p - rate m / (√w + epsilon)`: both corrections are taken out of the loop.
    fn numbers(&self, rate: f64, step: Step) -> [f64; 2] {
        let root = correction(self.betas[1], step.number()).sqrt();
        let epsilon = if self.uncorrected_epsilon { self.epsilon } else { self.epsilon * root };
        [rate * root / correction(self.betas[0], step.number()), epsilon]
    }

    fn decay(&self, rate: f64) -> Decay {
        Decay::either(self.decoupled_weight_decay, self.weight_decay, rate)
    }
}

impl Optimizer for Amsgrad {
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

impl<T: Real> UpdateRule<T> for Amsgrad {
    fn update(&self, pass: Update<'_, T>) {
        let rate = self.rate.rate(pass.step);
        let [decay, lost] = self.decay(rate).numbers::<T>(pass.kind);
        let [rate, epsilon] = self.numbers(rate, pass.step).map(T::of);
        let [new1, new2] = self.betas.map(|beta| T::of(1.0 - beta));
        let (p, grads, [m, v, w]) = pass.split();
        each!(
            [p, m, v, w] = |g: grads| {
                let g = g + decay * p;
                let m = m + new1 * (g - m);
                let v = v + new2 * (g * g - v);
                let w = if w > v { w } else { v }; // NaN stays NaN
                [p - (lost * p + rate * (m / (w.sqrt() + epsilon))), m, v, w]
            }
        );
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [m, v, w] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = self.decay(rate).bound(params, *grads);
        let [rate, epsilon] = self.numbers(rate, step);
        let all = *m + g + g * g + mean_bound(v, g * g);
        mean_bound(w, *v);
        let change = quotient_bound::<T>(mean_bound(m, g), epsilon);
        *params += rate * change;
        params.max(change).max(all).max(*w)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        SettingCheck("Amsgrad").epsilon::<T>(self.epsilon)
    }
}
