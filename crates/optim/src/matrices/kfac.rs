use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{each, gemm};

use super::{inverse, rows_of, rows_of_mut};
use crate::setters::setters;
use crate::{
    Optimizer, ParamKind, Parameter, Real, Schedule, SettingError, Update, UpdateRule, Whole, vector,
};

/// K-FAC (Martens and Grosse 2015): a natural gradient, for which the Fisher information of a weight is taken to be the Kronecker
/// product of two small matrices.
///
/// For the weight W of a dense layer `z = x W + b`, from the m rows of a batch:
///
/// ```text
/// a ← ρ a + (1 - ρ) 1/m Σ x xᵀ;   g ← ρ g + (1 - ρ) m Σ dz dzᵀ;   â = a / (1 - ρᵗ), ĝ = g / (1 - ρᵗ)
/// every so many steps:   A = â + π √λ,   G = ĝ + √λ / π           π² = (tr â / inputs) / (tr ĝ / units)
/// V = A⁻¹ dW G⁻¹;   ν = min(1, √(κ / (η² Σ V · dW)))              the sum is over all such weights
/// m ← μ m + ν V + δ W;   W ← W - η m
///
/// others: m ← μ m + dp + δ p;   p ← p - η m                       biases: δ = 0
/// ```
///
/// The layers are those that are in the sequence of a model, and not inside another layer such as a `Residual`. All other parameters,
/// biases, convolutions and normalisations among them, take a plain step with momentum. A model without such a layer is refused, and so
/// is a [`Stepper`](crate::Stepper), since it knows no layers.
///
/// The dz are those of the targets, so this is the empirical Fisher information. Weights of samples count in dz, but not in x.
/// The damping λ is parted between the factors as in section 6.3; the bound ν is that of Ba et al. 2017, κ of the Kullback-Leibler
/// divergence of a step. Inverses are computed in double precision. Where rounding would leave no positive definite matrix, the damping
/// is larger: at least 32 roundings of the trace.
///
/// Defaults: η 0.03, μ 0.9, δ 0, ρ 0.95, λ 0.03, κ 0.001, inverses every 10 steps. A step takes `inputs² + units²` multiplications for
/// each row and `inputs units (inputs + units)` in all beside those of the gradient, an inverse `2 (inputs³ + units³)`; the state is
/// `2 (inputs² + units²)` numbers a layer.
#[derive(Clone, Debug)]
pub struct Kfac {
    rate: Arc<dyn Schedule>,
    momentum: f64,
    decay: f64,
    stat_decay: f64,
    damping: f64,
    kl_clip: f64,
    interval: u64,
}

describe! {
    /// A natural gradient, with the Fisher information of a dense layer as a Kronecker product.
    Kfac = "kfac";
    aliases ["k_fac"];
    formula "m ← μ m + ν A⁻¹ dW G⁻¹; W ← W - η m, where A and G are running means of x xᵀ and dz dzᵀ, damped";
    source "Martens and Grosse 2015; Ba, Grosse and Martens 2017";
    settings {
        /// The learning rate η.
        rate as "lr" ("learning_rate"): 0.03;
        /// The momentum μ.
        momentum: 0.9, Range::FRACTION;
        /// The decay δ of weights, which is added to the preconditioned gradient.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
        /// The decay rate ρ of the means of the factors.
        stat_decay ("curvature_ema"): 0.95, Range::FRACTION;
        /// The damping λ of the Fisher information.
        damping: 0.03, Range::POSITIVE;
        /// How far a step may change the outputs: the bound κ.
        kl_clip ("norm_constraint"): 0.001, Range::POSITIVE;
        /// After how many steps the inverses are computed again.
        interval as "inverse_interval" ("inverse_update_period"): 10, Range::AT_LEAST_ONE;
    }
}

/// K-FAC with this learning rate, often from 0.01 to 0.1.
pub fn kfac(rate: impl Schedule + 'static) -> Kfac {
    Kfac {
        rate: Arc::new(rate),
        momentum: 0.9,
        decay: 0.0,
        stat_decay: 0.95,
        damping: 0.03,
        kl_clip: 0.001,
        interval: 10,
    }
}

setters! { Kfac;
    /// The momentum μ, in `[0, 1)`.
    momentum(momentum: f64) => momentum = momentum;
    /// The decay δ of weights.
    weight_decay(decay: f64) => decay = decay;
    /// The decay rate ρ of the means of the factors, in `[0, 1)`.
    stat_decay(decay: f64) => stat_decay = decay;
    /// The damping λ, above 0.
    damping(damping: f64) => damping = damping;
    /// The bound κ of a step; a large number is no bound.
    kl_clip(bound: f64) => kl_clip = bound;
    /// After how many steps the inverses are computed again.
    inverse_interval(steps: u64) => interval = steps;
}

/// How many roundings of the trace the damping is at least.
const ROUNDINGS: f64 = 32.0;

/// How often the damping is made ten times as large where there is no inverse.
const TRIALS: i32 = 20;

/// The means of both factors, and their inverses: the state of a weight beside its momentum.
struct Curvature<'a, T> {
    means: [&'a mut [T]; 2],
    inverses: [&'a mut [T]; 2],
    /// The numbers of inputs and of units.
    sizes: [usize; 2],
}

impl<'a, T: Real> Curvature<'a, T> {
    fn of(extra: &'a mut [T], sizes: [usize; 2]) -> Self {
        let [of_inputs, of_units] = sizes.map(|size| size * size);
        let (means, inverses) = extra.split_at_mut(of_inputs + of_units);
        let inverses = inverses.split_at_mut(of_inputs);
        Self { means: means.split_at_mut(of_inputs).into(), inverses: inverses.into(), sizes }
    }

    /// Computes the inverses: `(â + π √λ)⁻¹` and `(ĝ + √λ / π)⁻¹`, where the means are to be multiplied by `correction`.
    ///
    /// Of means that are not finite, they are NaN, so that a trainer refuses the step.
    fn invert(&mut self, correction: f64, damping: f64, scratch: &mut [f64]) {
        let Self { means, inverses, sizes } = self;
        let trace = |index: usize| {
            let diagonal = means[index].iter().step_by(sizes[index] + 1);
            correction * diagonal.map(|value| value.as_f64()).sum::<f64>()
        };
        let traces = [trace(0), trace(1)];
        let [of_inputs, of_units] = [traces[0] / sizes[0] as f64, traces[1] / sizes[1] as f64];
        // Without any inputs or gradients, the damping is all that there is.
        let pi = if of_inputs > 0.0 && of_units > 0.0 { (of_inputs / of_units).sqrt() } else { 1.0 };
        let dampings = [pi * damping.sqrt(), damping.sqrt() / pi];
        for (index, inverse) in inverses.iter_mut().enumerate() {
            let size = sizes[index];
            let least = ROUNDINGS * T::epsilon().as_f64() * traces[index];
            let (matrix, rest) = scratch.split_at_mut(size * size);
            let found = (0..TRIALS).any(|trial| {
                let added = dampings[index].max(least) * 10f64.powi(trial);
                matrix
                    .iter_mut()
                    .zip(&*means[index])
                    .for_each(|(to, value)| *to = correction * value.as_f64());
                matrix.iter_mut().step_by(size + 1).for_each(|value| *value += added);
                inverse::invert(matrix, size, rest)
            });
            let value = |value: f64| if found { T::of(value) } else { T::nan() };
            inverse.iter_mut().zip(&*matrix).for_each(|(to, &from)| *to = value(from));
        }
    }
}

/// The numbers of inputs and of units of a weight that has factors.
fn sizes(parameter: &Parameter) -> Option<[usize; 2]> {
    parameter.product.then(|| parameter.matrix())
}

impl Kfac {
    /// Replaces the gradient of a weight by V, if it has factors. Returns `V · dW`.
    fn precondition<T: Real>(&self, pass: Update<'_, T>, scratch: &mut [f64]) -> f64 {
        let Update { step, parameter, grads, extra, factors, .. } = pass;
        let Some(sizes) = parameter.and_then(sizes).filter(|_| !factors.is_empty()) else { return 0.0 };
        let mut curvature = Curvature::of(extra, sizes);
        let [inputs, units] = sizes;
        {
            let new = T::of(1.0 - self.stat_decay);
            let (of_inputs, of_units) = factors.split_at(inputs * inputs);
            let [a, g] = &mut curvature.means;
            each!(a = |of_inputs| a + new * (of_inputs - a));
            each!(g = |of_units| g + new * (of_units - g));
        }
        if step.index.is_multiple_of(self.interval) {
            let correction = 1.0 / (1.0 - self.stat_decay.powf(step.number()));
            curvature.invert(correction, self.damping, scratch);
        }
        // The factors have been read: 2 inputs units ≤ inputs² + units².
        let (product, rest) = factors.split_at_mut(inputs * units);
        let natural = &mut rest[..inputs * units];
        let [a, g] = &curvature.inverses;
        let [a, g, dw] = [rows_of(a, inputs), rows_of(g, units), rows_of(grads, units)];
        let [zero, one] = [T::zero(), T::one()];
        gemm(one, a, dw, zero, rows_of_mut(&mut *product, units)); //                         A⁻¹ dW
        gemm(one, rows_of(product, units), g, zero, rows_of_mut(&mut *natural, units)); // V = A⁻¹ dW G⁻¹
        let dot = vector::dot(natural, grads).as_f64();
        grads.copy_from_slice(natural);
        dot
    }
}

impl Optimizer for Kfac {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn extra(&self, parameter: &Parameter) -> usize {
        parameter.factors().saturating_mul(2)
    }

    fn factor_scratch(&self, parameter: &Parameter) -> usize {
        let size = sizes(parameter).map_or(0, |[inputs, units]| inputs.max(units));
        size.saturating_mul(size).saturating_add(inverse::scratch(size))
    }

    fn needs_factors(&self) -> bool {
        true
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }

    fn check_parameters(&self, parameters: &[Parameter]) -> Result<(), SettingError> {
        if parameters.iter().any(|parameter| parameter.product) {
            return Ok(());
        }
        let conflict = "none of its parameters is the weight of a dense layer that is in the sequence of the model and not inside another layer: add such a layer, or choose another optimizer";
        Err(SettingError::Conflict { owner: "Kfac", conflict })
    }
}

impl<T: Real> UpdateRule<T> for Kfac {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let rate = self.rate.rate(whole.step);
        let scratch = std::mem::take(&mut whole.scratch);
        let mut sum = 0.0;
        whole.for_each(|pass| sum += self.precondition(pass, scratch));
        let bound = (self.kl_clip / (rate * rate * sum)).sqrt();
        if bound < 1.0 {
            let bound = T::of(bound);
            whole.for_each(|Update { parameter, grads, .. }| {
                if parameter.is_some_and(|parameter| parameter.product) {
                    each!(grads = bound * grads);
                }
            });
        }
    }

    fn update(&self, pass: Update<'_, T>) {
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let [rate, momentum, decay] = [self.rate.rate(pass.step), self.momentum, decay].map(T::of);
        let (p, grads, [m]) = pass.split();
        each!(
            [p, m] = |g: grads| {
                let m = momentum * m + g + decay * p;
                [p - rate * m, m]
            }
        );
    }
}
