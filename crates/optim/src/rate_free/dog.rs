use std::sync::Arc;

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use super::sum_of;
use crate::setters::setters;
use crate::{Optimizer, ParamKind, Real, Schedule, Update, UpdateRule, Whole, vector};

/// DoG, distance over gradients (Ivgi, Hinder and Carmon 2023): gradient descent whose rate is the distance that the parameters have
/// come, divided by the root of the sum of all squared gradients.
///
/// ```text
/// g ← g + λ p
/// r ← max(r, ‖p - p₀‖)          r₀ = ρ (1 + ‖p₀‖)
/// G ← G + ‖g‖²
/// p ← p - η r / √(G + ε) g
/// ```
///
/// Defaults are optax': η 1, ρ 1e-6, ε 1e-8, no decay. The norms are over all parameters. λ applies to [`ParamKind::Weight`] only.
/// The authors recommend to evaluate a mean of the weights: `(dog(1.0), Ema::default())`.
#[derive(Clone, Debug)]
pub struct Dog {
    rate: Arc<dyn Schedule>,
    reps_rel: f64,
    epsilon: f64,
    decay: f64,
}

describe! {
    /// Gradient descent whose rate is the distance come over the root of the sum of squared gradients.
    Dog = "dog";
    formula "r ← max(r, ‖p - p₀‖); G ← G + ‖g‖²; p ← p - η r / √(G + ε) g";
    source "Ivgi, Hinder and Carmon 2023";
    settings {
        /// A factor of the learning rate, η.
        rate as "lr" ("learning_rate"): 1.0;
        /// The first distance, relative to 1 + ‖p₀‖, ρ.
        reps_rel ("init_step"): 1e-6, Range::POSITIVE;
        /// The term ε under the root.
        epsilon as "eps": 1e-8, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// DoG with this factor of the learning rate; often 1.
pub fn dog(rate: impl Schedule + 'static) -> Dog {
    Dog { rate: Arc::new(rate), reps_rel: 1e-6, epsilon: 1e-8, decay: 0.0 }
}

setters! { Dog;
    /// The first distance, relative to 1 + ‖p₀‖.
    reps_rel(ratio: f64) => reps_rel = ratio;
    /// The term ε under the root.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

/// Adds the weight decay to the gradients, and returns the squares of the distance come, of the norm of the parameters and of that
/// of the gradients. The first slot is where the parameters began.
fn squares<T: Real>(whole: &mut Whole<'_, T>, decay: f64) -> [f64; 3] {
    let mut sums = [0.0; 3];
    whole.for_each(|Update { kind, params: p, grads: g, state: start, .. }| {
        if decay != 0.0 && kind == ParamKind::Weight {
            let decay = T::of(decay);
            let p = &*p;
            each!(g = |p| g + decay * p);
        }
        let squares = [
            sum_of(p, start, |p, start| (p - start).powi(2)),
            vector::sum_squares(p),
            vector::sum_squares(g),
        ];
        sums.iter_mut().zip(squares).for_each(|(sum, square)| *sum += square);
    });
    sums
}

/// `p ← p - rate g`.
fn descend<T: Real>(rate: f64, pass: Update<'_, T>) {
    let rate = T::of(rate);
    let Update { params: p, grads, .. } = pass;
    let grads = &*grads;
    each!(p = |g: grads| p - rate * g);
}

impl Optimizer for Dog {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn numbers(&self) -> usize {
        3
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Dog {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [start]) = pass.split();
        start.copy_from_slice(p);
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let [distance, norm, gradients] = squares(&mut whole, self.decay);
        let is_first = whole.step.is_first();
        let [r, sum, rate] = whole.numbers else { return };
        if is_first {
            *r = self.reps_rel * (1.0 + norm.sqrt());
        }
        *r = r.max(distance.sqrt());
        *sum += gradients;
        *rate = *r / (*sum + self.epsilon).sqrt();
    }

    fn update(&self, pass: Update<'_, T>) {
        let rate = pass.numbers.get(2).copied().unwrap_or(0.0);
        descend(self.rate.rate(pass.step) * rate, pass);
    }
}

/// DoWG, distance over weighted gradients (Khaled, Mishchenko and Jin 2023): as [`Dog`], with the squared gradients weighted by the
/// squared distance at their time.
///
/// ```text
/// g ← g + λ p
/// r² ← max(r², ‖p - p₀‖²)       r₀² = ε
/// G ← G + r² ‖g‖²
/// p ← p - η r² / (√G + ε) g
/// ```
///
/// Defaults are optax': η 1, ε 1e-4, no decay. λ applies to [`ParamKind::Weight`] only.
#[derive(Clone, Debug)]
pub struct Dowg {
    rate: Arc<dyn Schedule>,
    epsilon: f64,
    decay: f64,
}

describe! {
    /// Gradient descent whose rate is the squared distance come over the root of the sum of weighted squared gradients.
    Dowg = "dowg";
    formula "r² ← max(r², ‖p - p₀‖²); G ← G + r² ‖g‖²; p ← p - η r² / (√G + ε) g";
    source "Khaled, Mishchenko and Jin 2023, algorithm 1";
    settings {
        /// A factor of the learning rate, η.
        rate as "lr" ("learning_rate"): 1.0;
        /// The first squared distance, and the term of the denominator, ε.
        epsilon as "eps": 1e-4, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// DoWG with this factor of the learning rate; often 1.
pub fn dowg(rate: impl Schedule + 'static) -> Dowg {
    Dowg { rate: Arc::new(rate), epsilon: 1e-4, decay: 0.0 }
}

setters! { Dowg;
    /// The first squared distance, and the term of the denominator, ε.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

impl Optimizer for Dowg {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn numbers(&self) -> usize {
        3
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Dowg {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [start]) = pass.split();
        start.copy_from_slice(p);
    }

    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let [distance, _, gradients] = squares(&mut whole, self.decay);
        let is_first = whole.step.is_first();
        let [r, sum, rate] = whole.numbers else { return };
        if is_first {
            *r = self.epsilon;
        }
        *r = r.max(distance);
        *sum += *r * gradients;
        *rate = *r / (sum.sqrt() + self.epsilon);
    }

    fn update(&self, pass: Update<'_, T>) {
        let rate = pass.numbers.get(2).copied().unwrap_or(0.0);
        descend(self.rate.rate(pass.step) * rate, pass);
    }
}
