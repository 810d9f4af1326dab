//! Weight decay as a part of an optimizer's step.

use crate::{ParamKind, Real};

/// Weight decay in one step: `g ← g + coupled p`, and `p ← p - lost p`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decay {
    coupled: f64,
    lost: f64,
}

impl Decay {
    /// Part of the gradient, like an L2 penalty.
    pub(crate) fn coupled(decay: f64) -> Self {
        Self { coupled: decay, lost: 0.0 }
    }

    /// Beside the gradient: `p ← p - η λ p`.
    pub(crate) fn decoupled(decay: f64, rate: f64) -> Self {
        Self { coupled: 0.0, lost: rate * decay }
    }

    /// Decoupled or coupled.
    pub(crate) fn either(decoupled: bool, decay: f64, rate: f64) -> Self {
        if decoupled { Self::decoupled(decay, rate) } else { Self::coupled(decay) }
    }

    /// `[coupled, lost]` for parameters of this kind: only weights decay.
    pub(crate) fn numbers<T: Real>(self, kind: ParamKind) -> [T; 2] {
        let decays = kind == ParamKind::Weight;
        (if decays { [self.coupled, self.lost] } else { [0.0, 0.0] }).map(T::of)
    }

    /// Applies it to a bound of parameters of all kinds, and returns one of the gradients with the decay.
    pub(crate) fn bound(self, params: &mut f64, grads: f64) -> f64 {
        let decayed = grads + self.coupled.abs() * *params;
        *params *= (1.0 - self.lost).abs().max(1.0);
        decayed
    }
}
