use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::setters::setters;
use crate::{Optimizer, ParamKind, Real, SettingError, Update, UpdateRule};

/// COCOB, continuous coin betting (Orabona and Tommasi 2017): each value bets a part of what it has won on its gradient. There is no
/// learning rate.
///
/// ```text
/// g ← g + λ p
/// L ← max(L, |g|)                G ← G + |g|             L₀ = ε
/// R ← max(R - g (p - p₀), 0)     C ← C - g
/// p ← p₀ + C / (L max(G + L, α L)) (L + R)
/// ```
///
/// Defaults are optax': α 100, ε 1e-8, no decay. λ applies to [`ParamKind::Weight`] only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cocob {
    alpha: f64,
    epsilon: f64,
    decay: f64,
}

describe! {
    /// Bets on the sign of each gradient, without a learning rate.
    Cocob = "cocob";
    formula "p ← p₀ + C / (L max(G + L, α L)) (L + R)";
    source "Orabona and Tommasi 2017, algorithm 2";
    settings {
        /// How carefully the first bets are made, α.
        alpha: 100.0, Range::POSITIVE;
        /// The largest gradient before the first step, ε.
        epsilon as "eps": 1e-8, Range::POSITIVE;
        /// The weight decay λ.
        decay as "weight_decay": 0.0, Range::NOT_NEGATIVE;
    }
}

/// COCOB, which has no learning rate.
pub fn cocob() -> Cocob {
    Cocob { alpha: 100.0, epsilon: 1e-8, decay: 0.0 }
}

setters! { Cocob;
    /// How carefully the first bets are made.
    alpha(alpha: f64) => alpha = alpha;
    /// The largest gradient before the first step.
    epsilon(epsilon: f64) => epsilon = epsilon;
    /// The weight decay λ.
    weight_decay(decay: f64) => decay = decay;
}

impl Optimizer for Cocob {
    described!(check_settings);

    fn slots(&self) -> usize {
        5
    }

    fn uses_kind(&self) -> bool {
        self.decay != 0.0
    }
}

impl<T: Real> UpdateRule<T> for Cocob {
    fn start(&self, pass: Update<'_, T>) {
        let (p, _, [start, _, largest, _, _]) = pass.split();
        start.copy_from_slice(p);
        largest.fill(T::of(self.epsilon));
    }

    fn update(&self, pass: Update<'_, T>) {
        let decay = if pass.kind == ParamKind::Weight { self.decay } else { 0.0 };
        let [decay, alpha] = [decay, self.alpha].map(T::of);
        let zero = T::zero();
        let (p, grads, [start, sum, largest, total, reward]) = pass.split();
        let start = &*start;
        each!(
            [p, sum, largest, total, reward] = |g: grads, p0: start| {
                let g = g + decay * p;
                let size = g.abs();
                let largest = if size < largest { largest } else { size };
                let total = total + size;
                let won = reward - g * (p - p0);
                let reward = if won < zero { zero } else { won };
                let sum = sum - g;
                let [usual, careful] = [total + largest, alpha * largest];
                let stake = if usual < careful { careful } else { usual };
                [p0 + sum / (largest * stake) * (largest + reward), sum, largest, total, reward]
            }
        );
    }

    fn check_rest(&self) -> Result<(), SettingError> {
        chainrule_core::SettingCheck("Cocob").epsilon::<T>(self.epsilon)
    }
}
