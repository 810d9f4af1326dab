use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::decay::Decay;
use crate::setters::setters;
use crate::{Bounds, Optimizer, Real, Schedule, Step, Update, UpdateRule};

/// ASGD, averaged stochastic gradient descent (Polyak and Juditsky 1992), with the rates of Bottou's svmsgd.
///
/// ```text
/// g ← g + λ p                              weight decay
/// ηₜ = η / (1 + Λ η t)^α                   t = 0, 1, ...
/// p ← (1 - Λ ηₜ) p - ηₜ g
/// a ← a + (p - a) / max(1, t - t₀)         the average, from step t₀ on
/// ```
///
/// Defaults are PyTorch's: Λ 1e-4 (`lambd`), α 0.75, t₀ 1e6, no weight decay. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only. A trainer
/// evaluates the average in place of the parameters.
#[derive(Clone, Debug)]
pub struct Asgd {
    rate: Arc<dyn Schedule>,
    lambd: f64,
    alpha: f64,
    t0: f64,
    weight_decay: f64,
}

describe! {
    /// ASGD: gradient descent with a decaying rate, and the average of the parameters.
    Asgd = "asgd";
    aliases ["averaged_sgd"];
    formula "p ← (1 - Λ ηₜ) p - ηₜ g, with ηₜ = η / (1 + Λ η t)^α";
    source "Polyak and Juditsky 1992";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.01;
        /// The decay Λ of the rate and of the parameters.
        lambd: 1e-4, Range::NOT_NEGATIVE;
        /// The power α of the decay of the rate.
        alpha: 0.75, Range::NOT_NEGATIVE;
        /// The step t₀ at which averaging begins.
        t0: 1e6, Range::between(0.0, f64::INFINITY, "at least 0");
        /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
        weight_decay: 0.0, Range::NOT_NEGATIVE;
    }
}

/// ASGD with this learning rate; often 1e-2.
pub fn asgd(rate: impl Schedule + 'static) -> Asgd {
    Asgd { rate: Arc::new(rate), lambd: 1e-4, alpha: 0.75, t0: 1e6, weight_decay: 0.0 }
}

setters! { Asgd;
    /// The decay Λ of the rate and of the parameters.
    lambd(decay: f64) => lambd = decay;
    /// The power α of the decay of the rate.
    alpha(power: f64) => alpha = power;
    /// The step t₀ at which averaging begins.
    t0(step: f64) => t0 = step;
    /// The weight decay λ, coupled: part of the gradient, like an L2 penalty.
    weight_decay(decay: f64) => weight_decay = decay;
}

impl Asgd {
    /// ηₜ.
    fn rate(&self, step: Step) -> f64 {
        let rate = self.rate.rate(step);
        rate / (1.0 + self.lambd * rate * step.index as f64).powf(self.alpha)
    }
}

impl Optimizer for Asgd {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn averages(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Asgd {
    fn start(&self, pass: Update<'_, T>) {
        pass.state.copy_from_slice(pass.params);
    }

    fn update(&self, pass: Update<'_, T>) {
        let [decay, _] = Decay::coupled(self.weight_decay).numbers::<T>(pass.kind);
        let new = 1.0 / (pass.step.index as f64 - self.t0).max(1.0);
        let decay = decay + T::of(self.lambd);
        let [rate, old, new] = [self.rate(pass.step), 1.0 - new, new].map(T::of);
        let (p, grads, [a]) = pass.split();
        each!(
            [p, a] = |g: grads| {
                let p = p - rate * (g + decay * p);
                [p, old * a + new * p]
            }
        );
    }

    fn average(&self, pass: Update<'_, T>) {
        let (p, _, [a]) = pass.split();
        p.copy_from_slice(a);
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [a] = state else { return f64::INFINITY };
        let g = Decay::coupled(self.weight_decay + self.lambd).bound(params, *grads);
        *params += self.rate(step) * g;
        *a = a.max(*params);
        a.max(g)
    }
}
