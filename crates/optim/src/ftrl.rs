use std::sync::Arc;

use chainrule_core::{Range, SettingCheck, describe, described};
use chainrule_tensor::vector::RootNumbers;
use chainrule_tensor::{each, each_root};

use crate::setters::setters;
use crate::{Bounds, Optimizer, ParamKind, Real, Schedule, SettingError, Step, Update, UpdateRule};

/// FTRL-Proximal, follow the regularised leader (McMahan et al. 2013, algorithm 1): for linear models, where its L1 penalty
/// makes most weights exactly 0.
///
/// ```text
/// n ← n + g²                                                 from n₀;   r = n^(-power), √n by default
/// z ← z + η (g + 2 λₛ p) - (r - r of the step before) p
/// p ← (clip(z, -η λ₁, η λ₁) - z) / (r + β + 2 η λ₂)
/// ```
///
/// Defaults are Keras': power -0.5, n₀ 0.1, β 0 and no penalties λ₁, λ₂ and λₛ (`l2_shrinkage_regularization_strength`), which
/// apply to [`ParamKind::Weight`] only. The parameters are rebuilt from z in every step: what they began with is
/// forgotten after a few steps. z is that of Keras times η, so the steps are the same for a constant rate, and a rate of 0 or one
/// that changes does not scale the parameters.
#[derive(Clone, Debug)]
pub struct Ftrl {
    rate: Arc<dyn Schedule>,
    learning_rate_power: f64,
    initial_accumulator_value: f64,
    l1_regularization_strength: f64,
    l2_regularization_strength: f64,
    l2_shrinkage_regularization_strength: f64,
    beta: f64,
}

describe! {
    /// FTRL-Proximal: follows the regularised leader; for linear models with few weights that are not 0.
    Ftrl = "ftrl";
    aliases ["ftrl_proximal"];
    formula "p ← (clip(z, -η λ₁, η λ₁) - z) / (√n + β + 2 η λ₂)";
    source "McMahan et al. 2013, algorithm 1";
    settings {
        /// The learning rate η: a number or a schedule.
        rate as "lr" ("learning_rate"): 0.001;
        /// The power of the sum of squares by which the rate is multiplied: no more than 0.
        learning_rate_power: -0.5, Range::between(-2.0, 0.0, "from -2 to 0");
        /// What the sum of squares begins with: above 0.
        initial_accumulator_value: 0.1, Range::POSITIVE;
        /// The L1 penalty λ₁.
        l1_regularization_strength ("l1"): 0.0, Range::NOT_NEGATIVE;
        /// The L2 penalty λ₂, by which the step is stabilised.
        l2_regularization_strength ("l2"): 0.0, Range::NOT_NEGATIVE;
        /// The L2 penalty λₛ, which shrinks by its gradient.
        l2_shrinkage_regularization_strength ("l2_shrinkage"): 0.0, Range::NOT_NEGATIVE;
        /// The term β that is added to the root of the sum of squares.
        beta: 0.0, Range::NOT_NEGATIVE;
    }
}

/// FTRL-Proximal with this learning rate; often 0.1 for a linear model.
pub fn ftrl(rate: impl Schedule + 'static) -> Ftrl {
    Ftrl {
        rate: Arc::new(rate),
        learning_rate_power: -0.5,
        initial_accumulator_value: 0.1,
        l1_regularization_strength: 0.0,
        l2_regularization_strength: 0.0,
        l2_shrinkage_regularization_strength: 0.0,
        beta: 0.0,
    }
}

setters! { Ftrl;
    /// The power of the sum of squares by which the rate is multiplied: no more than 0.
    learning_rate_power(power: f64) => learning_rate_power = power;
    /// What the sum of squares begins with, n₀, above 0.
    initial_accumulator(value: f64) => initial_accumulator_value = value;
    /// The L1 penalty λ₁.
    l1(strength: f64) => l1_regularization_strength = strength;
    /// The L2 penalty λ₂, by which the step is stabilised.
    l2(strength: f64) => l2_regularization_strength = strength;
    /// The L2 penalty λₛ, which shrinks by its gradient.
    l2_shrinkage(strength: f64) => l2_shrinkage_regularization_strength = strength;
    /// The term β that is added to the root of the sum of squares.
    beta(beta: f64) => beta = beta;
}

/// The numbers of a step.
#[derive(Clone, Copy)]
struct FtrlStep<T> {
    rate: T,
    l1: [T; 2],
    shrinkage: T,
    denominator: T,
}

impl<T: RootNumbers> FtrlStep<T> {
    /// The new parameter and z, given the roots of n before and after.
    #[inline(always)]
    fn of(self, g: T, [p, z]: [T; 2], [old, r]: [T; 2]) -> [T; 2] {
        let Self { rate, l1: [low, high], shrinkage, denominator } = self;
        let z = z + rate * (g + shrinkage * p) - (r - old) * p;
        [(z.at_most(high).at_least(low) - z) / (r + denominator), z]
    }
}

impl Ftrl {
    fn numbers<T: Real>(&self, step: Step, kind: ParamKind) -> FtrlStep<T> {
        let rate = self.rate.rate(step);
        let penalties = [
            self.l1_regularization_strength,
            self.l2_regularization_strength,
            self.l2_shrinkage_regularization_strength,
        ];
        let [l1, l2, shrinkage] = if kind == ParamKind::Weight { penalties } else { [0.0; 3] };
        FtrlStep {
            rate: T::of(rate),
            l1: [-rate * l1, rate * l1].map(T::of),
            shrinkage: T::of(2.0 * shrinkage),
            denominator: T::of(self.beta + 2.0 * rate * l2),
        }
    }
}

impl Optimizer for Ftrl {
    described!(check_settings);

    fn slots(&self) -> usize {
        2
    }

    fn uses_kind(&self) -> bool {
        let Self { l1_regularization_strength: l1, l2_regularization_strength: l2, .. } = *self;
        l1 != 0.0 || l2 != 0.0 || self.l2_shrinkage_regularization_strength != 0.0
    }

    fn schedules(&self, visit: &mut dyn FnMut(&dyn Schedule)) {
        visit(&*self.rate);
    }
}

impl<T: Real> UpdateRule<T> for Ftrl {
    fn start(&self, pass: Update<'_, T>) {
        let (_, _, [n, _]) = pass.split();
        n.fill(T::of(self.initial_accumulator_value));
    }

    fn update(&self, pass: Update<'_, T>) {
        let step = self.numbers(pass.step, pass.kind);
        let (p, grads, [n, z]) = pass.split();
        if self.learning_rate_power == -0.5 {
            let FtrlStep { rate, l1: [low, high], shrinkage, denominator } = step;
            each_root!(
                [p, n, z] = |g: grads; rate, low, high, shrinkage, denominator| {
                    let step = FtrlStep { rate, l1: [low, high], shrinkage, denominator };
                    let sum = n + g * g;
                    let [p, z] = step.of(g, [p, z], [n.sqrt(), sum.sqrt()]);
                    [p, sum, z]
                }
            );
        } else {
            let power = T::of(-self.learning_rate_power);
            each!(
                [p, n, z] = |g: grads| {
                    let sum = n + g * g;
                    let roots = [n, sum].map(
                        #[inline(always)]
                        |n| (power * n.fast_ln()).fast_exp(),
                    );
                    let [p, z] = step.of(g, [p, z], roots);
                    [p, sum, z]
                }
            );
        }
    }

    fn bound(&self, Bounds { step, params, grads, state }: Bounds<'_>) -> f64 {
        let [n, z] = state else { return f64::INFINITY };
        let rate = self.rate.rate(step);
        let g = *grads + 2.0 * self.l2_shrinkage_regularization_strength * *params;
        *n += *grads * *grads;
        let r = n.powf(-self.learning_rate_power);
        let least = self.initial_accumulator_value.powf(-self.learning_rate_power);
        if T::of(least) < T::min_positive_value() {
            return f64::INFINITY;
        }
        *z += rate * g + r * *params;
        *params = *z / least;
        // Twice that leaves room for rounding.
        *params *= 2.0;
        params.max(g).max(*n).max(2.0 * *z).max(r + self.beta)
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        let settings = SettingCheck("Ftrl");
        let start = self.initial_accumulator_value;
        let ok = T::of(start) > T::zero() && T::of(start).is_finite();
        let allowed = "a finite number above 0, also in the precision of the parameters";
        settings.range(ok, "initial_accumulator_value", start, allowed)
    }
}
