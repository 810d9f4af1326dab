use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::{Seed, each};

use crate::decay::Decay;
use crate::running_mean::correction;
use crate::setters::setters;
use crate::{Optimizer, Real, Schedule, SettingError, Step, Update, UpdateRule, Whole};

/// Sophia (Liu et al. 2024, algorithm 3, with Hutchinson's estimate): divides by the curvature of each parameter, and limits the step.
///
/// ```text
/// m ← β₁ m + (1 - β₁) g                            m̂ = m / (1 - β₁ᵗ)        t = 1, 2, ...
/// p ← p - η (clip(m̂ / max(γ h, ε), ±c) + λ p)
/// h ← β₂ h + (1 - β₂) z (g(p + δ z) - g(p - δ z)) / 2δ        every k steps, with random signs z, before p has moved
/// ```
///
/// The last line needs the gradient of the same batch twice more, so every k-th step takes three times as long. The product of the
/// Hessian and z is a difference of gradients here; elsewhere it is a derivative. Defaults are optax': β₁ 0.965, β₂ 0.99, ε 1e-8,
/// γ 0.01, c 1, k 10, λ 1e-4; δ is 1e-3. In the first step h is 0: every parameter moves by η c. λ applies to
/// [`ParamKind::Weight`](crate::ParamKind::Weight) only. There are five slots of state; three of them are only used
/// while the batch is evaluated again.
#[derive(Clone, Debug)]
pub struct Sophia {
    rate: Arc<dyn Schedule>,
    betas: [f64; 2],
    epsilon: f64,
    weight_decay: f64,
    gamma: f64,
    clip_threshold: f64,
    update_interval: u64,
    difference: f64,
    seed: u64,
}

describe! {
    /// Sophia: divides by an estimate of the Hessian's diagonal, and limits the step.
    Sophia = "sophia";
    aliases ["sophia_h"];
    formula "p ← p - η (clip(m̂ / max(γ h, ε), ±c) + λ p), with the curvature h";
    source "Liu et al. 2024, algorithm 3";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The decay rates β₁ of the mean of the gradients and β₂ of the curvature.
        betas: [0.965, 0.99], Range::FRACTION;
        /// The least denominator ε.
        epsilon as "eps" ("epsilon"): 1e-8, Range::POSITIVE;
        /// The weight decay λ, decoupled: multiplied by the learning rate, and not part of the gradient.
        weight_decay: 1e-4, Range::NOT_NEGATIVE;
        /// What the curvature is multiplied by, γ.
        gamma ("rho"): 0.01, Range::POSITIVE;
        /// The largest step c, in learning rates.
        clip_threshold: 1.0, Range::POSITIVE;
        /// After how many steps the curvature is estimated again, k.
        update_interval ("update_period"): 10, Range::AT_LEAST_ONE;
        /// How far apart the points are whose gradients are compared, δ.
        difference: 1e-3, Range::POSITIVE;
        /// The seed of the signs.
        seed: 0;
    }
}

/// Sophia with this learning rate; often 1e-3.
pub fn sophia(rate: impl Schedule + 'static) -> Sophia {
    Sophia {
        rate: Arc::new(rate),
        betas: [0.965, 0.99],
        epsilon: 1e-8,
        weight_decay: 1e-4,
        gamma: 0.01,
        clip_threshold: 1.0,
        update_interval: 10,
        difference: 1e-3,
        seed: 0,
    }
}

setters! { Sophia;
    /// The decay rates β₁ of the mean of the gradients and β₂ of the curvature, both in `[0, 1)`.
    betas(beta1: f64, beta2: f64) => betas = [beta1, beta2];
    /// The least denominator ε.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ, decoupled: it is multiplied by the learning rate.
    weight_decay(decay: f64) => weight_decay = decay;
    /// What the curvature is multiplied by, γ.
    gamma(gamma: f64) => gamma = gamma;
    /// The largest step c, in learning rates.
    clip_threshold(threshold: f64) => clip_threshold = threshold;
    /// After how many steps the curvature is estimated again, k.
    update_interval(steps: u64) => update_interval = steps;
    /// How far apart the points are whose gradients are compared, δ.
    difference(difference: f64) => difference = difference;
    /// The seed of the signs.
    seed(seed: u64) => seed = seed;
}

/// The parameters and their gradients, and the slots for the estimate, the old parameters and the old gradients.
fn slots<T>(pass: Update<'_, T>) -> [&mut [T]; 5] {
    let Update { params, grads, state, .. } = pass;
    let (_, rest) = state.split_at_mut(2 * params.len());
    let (estimate, rest) = rest.split_at_mut(params.len());
    let (old_params, old_grads) = rest.split_at_mut(params.len());
    [params, grads, estimate, old_params, old_grads]
}

impl Sophia {
    fn estimates_in(&self, step: Step) -> bool {
        step.index.is_multiple_of(self.update_interval.max(1))
    }

    /// The random signs of a step, one after the other.
    fn signs<T: Real>(&self, step: Step) -> impl FnMut() -> T + use<T> {
        let mut rng = Seed(self.seed).child(step.index).rng();
        move || if rng.bits() & 1 == 0 { T::one() } else { -T::one() }
    }
}

impl Optimizer for Sophia {
    described!(check_settings);

    fn slots(&self) -> usize {
        5
    }

    fn needs_all_gradients(&self) -> bool {
        true
    }

    fn evaluates_again(&self) -> bool {
        true
    }

    fn uses_kind(&self) -> bool {
        self.weight_decay != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Sophia {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let step = whole.step;
        if !self.estimates_in(step) {
            return;
        }
        // The gradients that there are may have been clipped, so both of the difference are computed.
        let difference = T::of(self.difference);
        let mut sign = self.signs::<T>(step);
        whole.for_each(|pass| {
            let [p, grads, _, old_p, old_g] = slots(pass);
            old_p.copy_from_slice(p);
            old_g.copy_from_slice(grads);
            p.iter_mut().for_each(|p| *p += difference * sign());
        });
        whole.evaluate();
        let mut sign = self.signs::<T>(step);
        whole.for_each(|pass| {
            let [p, grads, estimate, old_p, _] = slots(pass);
            for (((p, old), estimate), g) in p.iter_mut().zip(old_p).zip(estimate).zip(grads) {
                let z = sign();
                *p = *old - difference * z;
                *estimate = z * *g;
            }
        });
        whole.evaluate();
        let mut sign = self.signs::<T>(step);
        whole.for_each(|pass| {
            let [p, grads, estimate, old_p, old_g] = slots(pass);
            for (estimate, g) in estimate.iter_mut().zip(&*grads) {
                *estimate = (*estimate - sign() * *g) / (difference + difference);
            }
            p.copy_from_slice(old_p);
            grads.copy_from_slice(old_g);
        });
    }

    fn update(&self, pass: Update<'_, T>) {
        let step = pass.step;
        let rate = self.rate.rate(step);
        let [_, lost] = Decay::decoupled(self.weight_decay, rate).numbers::<T>(pass.kind);
        let [beta1, beta2] = self.betas;
        let of_m = correction(beta1, step.number()).recip();
        let new_h = if self.estimates_in(step) { 1.0 - beta2 } else { 0.0 };
        let [rate, of_m, gamma, epsilon] = [rate, of_m, self.gamma, self.epsilon].map(T::of);
        let [limit, new, new_h] = [self.clip_threshold, 1.0 - beta1, new_h].map(T::of);
        let (p, grads, [m, h, estimate, _, _]) = pass.split();
        each!(
            [p, m, h] = |g: grads, estimate| {
                let m = m + new * (g - m);
                let curvature = gamma * h;
                let u = of_m * m / (if curvature > epsilon { curvature } else { epsilon });
                let below = if u > limit { limit } else { u };
                let clipped = if below < -limit { -limit } else { below };
                [p - (lost * p + rate * clipped), m, h + new_h * (estimate - h)]
            }
        );
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("Sophia");
        let representable = T::of(self.difference) > T::zero();
        settings.range(
            representable,
            "difference",
            self.difference,
            "above 0, also in the precision of the parameters",
        )?;
        settings.epsilon::<T>(self.epsilon)
    }
}
