use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::{Bounds, Optimizer, ParamKind, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// Stochastic gradient descent, optionally with momentum or Nesterov's momentum.
///
/// ```text
/// g ← g + λ p                        weight decay
/// p ← p - η g                        without momentum
/// m ← μ m + (1 - τ) g;   p ← p - η m             with momentum μ and dampening τ
/// m ← μ m + g;           p ← p - η (g + μ m)     Nesterov's
/// ```
///
/// The conventions are PyTorch's: in the first step `m ← g` whatever τ is, and Nesterov's momentum has the form of
/// Sutskever et al. 2013. Unlike PyTorch's, the decay λ applies to [`ParamKind::Weight`] only. Keras multiplies by the learning
/// rate before the momentum, `m ← μ m + η g`, which differs where the rate changes: see [`keras`](Self::keras).
#[derive(Clone, Debug)]
pub struct Sgd {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    dampening: f64,
    nesterov: bool,
    decay: f64,
    rate_in_momentum: bool,
}

describe! {
    /// Stochastic gradient descent, optionally with momentum or Nesterov's momentum.
    Sgd = "sgd";
    aliases ["stochastic_gradient_descent", "gradient_descent"];
    formula "m ← μ m + (1 - τ) g; p ← p - η m";
    source "Robbins and Monro 1951; Polyak 1964; Sutskever et al. 2013";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The momentum μ.
        momentum: 0.0, Range::FRACTION;
        /// The dampening τ of the momentum.
        dampening: 0.0, Range::FRACTION;
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// Whether the momentum is Nesterov's: it needs a momentum above 0 and no dampening.
        nesterov: false;
        /// Whether the momentum is one of steps, as in Keras, and not of gradients.
        rate_in_momentum: false;
    }
    presets {
        keras { lr = 0.01, rate_in_momentum = true }
        momentum { momentum = 0.9 }
        nesterov { momentum = 0.9, nesterov = true }
    }
}

/// Stochastic gradient descent with this learning rate, without momentum or decay.
pub fn sgd(rate: impl Schedule + 'static) -> Sgd {
    let rate = Arc::new(rate);
    Sgd { rate, momentum: 0.0, dampening: 0.0, nesterov: false, decay: 0.0, rate_in_momentum: false }
}

impl Sgd {
    /// The momentum μ, in `[0, 1)`; often 0.9.
    #[must_use]
    pub fn momentum(self, momentum: f64) -> Self {
        Self { momentum, ..self }
    }

    /// The dampening τ of the momentum, in `[0, 1)`.
    #[must_use]
    pub fn dampening(self, dampening: f64) -> Self {
        Self { dampening, ..self }
    }

    /// Uses Nesterov's momentum: needs a momentum above 0 and no dampening.
    #[must_use]
    pub fn nesterov(self) -> Self {
        Self { nesterov: true, ..self }
    }

    /// Keras' form: the momentum is one of steps, `m ← μ m + η g`, not of gradients.
    #[must_use]
    pub fn keras(self) -> Self {
        Self { rate_in_momentum: true, ..self }
    }

    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    #[must_use]
    pub fn weight_decay(self, decay: f64) -> Self {
        Self { decay, ..self }
    }
}

impl Sgd {
    /// The learning rate, and 1: what a step and what a gradient in the momentum are multiplied by; the other way round in
    /// Keras' form.
    fn rates(&self, step: Step) -> [f64; 2] {
        let rate = self.rate.rate(step);
        if self.rate_in_momentum && self.momentum != 0.0 { [1.0, rate] } else { [rate, 1.0] }
    }
}

impl Optimizer for Sgd {
    described!(check_settings);

    fn slots(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn uses_kind(&self) -> bool {
        self.decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Sgd {
    fn update(&self, pass: Update<'_, T>) {
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let (keep, add) =
            if pass.step.is_first() { (0.0, 1.0) } else { (self.momentum, 1.0 - self.dampening) };
        let [rate, inner] = self.rates(pass.step);
        let add = inner * add;
        let [rate, decay, momentum, keep, add] = [rate, decay, self.momentum, keep, add].map(T::of);
        if self.momentum == 0.0 {
            let (p, grads, []) = pass.split();
            each!(p = |g: grads| p - rate * (g + decay * p));
        } else if self.nesterov {
            let (p, grads, [m]) = pass.split();
            each!(
                [p, m] = |g: grads| {
                    let g = g + decay * p;
                    let m = keep * m + add * g;
                    [p - rate * (add * g + momentum * m), m]
                }
            );
        } else {
            let (p, grads, [m]) = pass.split();
            each!(
                [p, m] = |g: grads| {
                    let m = keep * m + add * (g + decay * p);
                    [p - rate * m, m]
                }
            );
        }
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [rate, inner] = self.rates(step);
        let g = *grads + self.decay * *params;
        let Some(m) = state.first_mut() else {
            *params += rate * g;
            return params.max(g);
        };
        *m = self.momentum * *m + inner * g;
        *params += rate * (inner * g + *m);
        params.max(g).max(inner * g + *m)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let conflict = "Nesterov's momentum needs `.momentum(...)` above 0 and no dampening";
            return Err(SettingError::Conflict { owner: "Sgd", conflict });
        }
        Ok(())
    }
}
