//! Stages after an optimizer, which keep a mean of the weights of several steps. It is evaluated in place of the weights that
//! are trained.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::{Bounds, Optimizer, Real, Step, Update, UpdateRule};

/// An exponential moving average of the weights (Polyak and Juditsky 1992): `a ← β a + (1 - β) p`. It is evaluated in place of
/// the weights.
///
/// `(adam(1e-3), Ema { decay: 0.999, every: 1 })`. As in PyTorch's `AveragedModel`, the first step sets `a ← p`. Running statistics, as
/// batch normalisation has them, are not averaged. A row of a [sparse table](crate#rows-of-tables) moves its average only in the steps that use it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// The part of the average that is kept, β.
    pub decay: f64,
    /// The number of steps from one to the next that count.
    pub every: u64,
}

impl Default for Ema {
    fn default() -> Self {
        Self { decay: 0.999, every: 1 }
    }
}

describe! {
    /// An exponential moving average of the weights, evaluated in place of them.
    Ema = "ema";
    aliases ["use_ema", "params_ema"];
    formula "a ← β a + (1 - β) p, after the optimizer's step";
    source "Polyak and Juditsky 1992";
    settings {
        /// The part of the average that is kept, β.
        decay ("ema_momentum"): 0.999, Range::FRACTION;
        /// The number of steps from one to the next that count.
        every: 1, Range::AT_LEAST_ONE;
    }
    presets { keras { decay = 0.99 } }
}

impl Optimizer for Ema {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn averages(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for Ema {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [a]) = pass.split();
        a.copy_from_slice(p);
    }

    fn update(&self, pass: Update<'_, T>) {
        let step = pass.step;
        if !step.index.is_multiple_of(self.every) {
            return;
        }
        let (p, _, [a]) = pass.split();
        if step.is_first() {
            return a.copy_from_slice(p);
        }
        let rest = T::of(1.0 - self.decay);
        let p = &*p;
        each!(a = |p| a + rest * (p - a));
    }

    fn average(&self, pass: Update<'_, T>) {
        let (p, _, [a]) = pass.split();
        p.copy_from_slice(a);
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        mean_bound(bounds)
    }
}

/// Stochastic weight averaging (Izmailov et al. 2018): the mean of the weights of some steps, all with the same weight,
/// `a ← a + (p - a) / (n + 1)`. It is evaluated in place of the weights from its first step on.
///
/// With [`by_epoch`](Self::by_epoch), the weights after the last step of an epoch count, as is customary. Let the learning rate stay
/// high meanwhile, or be cyclic. Running statistics, as batch normalisation has them, are those of the trained weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swa {
    /// The first step, or epoch, whose weights count, from 0.
    pub start: u64,
    /// The number of steps, or epochs, from one to the next that count.
    pub every: u64,
    /// Whether they are epochs. Where it is not known how many steps an epoch has, each step is one.
    pub by_epoch: bool,
}

describe! {
    /// The mean of the weights of some steps or epochs, evaluated in place of them.
    Swa = "swa";
    aliases ["stochastic_weight_averaging", "averaged_model"];
    formula "a ← a + (p - a) / (n + 1), after the optimizer's step";
    source "Izmailov et al. 2018";
    settings {
        /// The first step, or epoch, whose weights count.
        start ("swa_start"): 0;
        /// The number of steps, or epochs, from one to the next that count.
        every ("swa_freq"): 1, Range::AT_LEAST_ONE;
        /// Whether they are epochs.
        by_epoch: true;
    }
}

impl Swa {
    /// How many weights have been averaged before this step, and whether those after it count.
    fn count(&self, step: Step) -> (u64, bool) {
        let steps = match step.run.steps_per_epoch {
            Some(steps) if self.by_epoch => steps.max(1),
            _ => 1,
        };
        // The number of completed steps or epochs, before and after the step.
        let before = step.index / steps;
        let after = (step.index + 1) / steps;
        let counted = |done: u64| done.saturating_sub(self.start).div_ceil(self.every.max(1));
        (counted(before), counted(after) > counted(before))
    }
}

impl Optimizer for Swa {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn averages(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for Swa {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [a]) = pass.split();
        a.copy_from_slice(p);
    }

    fn update(&self, pass: Update<'_, T>) {
        let (before, counts) = self.count(pass.step);
        if !counts {
            return;
        }
        let (p, _, [a]) = pass.split();
        let p = &*p;
        if before == 0 {
            return a.copy_from_slice(p);
        }
        let part = T::of(1.0 / (before as f64 + 1.0));
        each!(a = |p| a + part * (p - a));
    }

    fn average(&self, pass: Update<'_, T>) {
        if self.count(pass.step).0 > 0 {
            let (p, _, [a]) = pass.split();
            p.copy_from_slice(a);
        }
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        mean_bound(bounds)
    }
}

/// Lookahead (Zhang et al. 2019): every k steps, slow weights go a part of the way to the fast ones, which go on from there:
/// `s ← s + α (p - s)`, `p ← s`. The slow weights are evaluated.
///
/// `(adam(1e-3), Lookahead::default())`. The optimizer's own state stays as it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lookahead {
    /// The part of the way, α.
    pub alpha: f64,
    /// The number of steps of the fast weights, k.
    pub every: u64,
}

impl Default for Lookahead {
    fn default() -> Self {
        Self { alpha: 0.5, every: 5 }
    }
}

describe! {
    /// Slow weights that follow the fast ones, which go on from them every few steps.
    Lookahead = "lookahead";
    formula "every k steps, after the optimizer's: s ← s + α (p - s), p ← s";
    source "Zhang et al. 2019, algorithm 1";
    settings {
        /// The part of the way that the slow weights go, α.
        alpha ("slow_step_size"): 0.5, Range::UNIT;
        /// The number of steps of the fast weights, k.
        every as "k" ("sync_period"): 5, Range::AT_LEAST_ONE;
    }
}

impl Optimizer for Lookahead {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn uses_kind(&self) -> bool {
        false
    }

    fn averages(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for Lookahead {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [s]) = pass.split();
        s.copy_from_slice(p);
    }

    fn update(&self, pass: Update<'_, T>) {
        if !(pass.step.index + 1).is_multiple_of(self.every) {
            return;
        }
        let alpha = T::of(self.alpha);
        let (p, _, [s]) = pass.split();
        let fast = &*p;
        each!(s = |p: fast| s + alpha * (p - s));
        p.copy_from_slice(s);
    }

    fn average(&self, pass: Update<'_, T>) {
        let (p, _, [s]) = pass.split();
        p.copy_from_slice(s);
    }

    fn bound(&self, bounds: Bounds<'_>) -> f64 {
        mean_bound(bounds)
    }
}

/// The bounds of a mean of the weights and of what it was before, and of their difference.
fn mean_bound(Bounds { params, state, .. }: Bounds<'_>) -> f64 {
    let Some(mean) = state.first_mut() else { return f64::INFINITY };
    *mean = mean.max(*params);
    *params = *mean;
    2.0 * *mean
}
