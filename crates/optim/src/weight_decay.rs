use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::{Bounds, Optimizer, ParamKind, Real, Update, UpdateRule};

/// Coupled weight decay for the optimizer after it: `g ← g + λ p`, the gradient of an L2 penalty `λ/2 ‖p‖²`.
///
/// `(WeightDecay(1e-4), adam(1e-3))` is what PyTorch calls `Adam(weight_decay=1e-4)`, except that
/// only [`ParamKind::Weight`] is decayed. Clipping sees the gradients without the decay, as in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightDecay(
    /// The decay λ.
    pub f64,
);

describe! {
    /// Coupled weight decay, for the optimizer after it.
    WeightDecay = "weight_decay";
    aliases ["add_decayed_weights", "l2_decay"];
    formula "g ← g + λ p";
    settings {
        /// The decay λ.
        0 as "weight_decay" ("decay"): 1e-4, Range::NOT_NEGATIVE;
    }
}

impl Optimizer for WeightDecay {
    described!(check_settings);
}

impl<T: Real> UpdateRule<T> for WeightDecay {
    fn update(&self, pass: Update<'_, T>) {
        if pass.kind == ParamKind::Weight {
            let decay = T::of(self.0);
            let Update { grads: g, params: p, .. } = pass;
            each!(g = |p| g + decay * p);
        }
    }

    fn bound(&self, Bounds { params, grads, .. }: Bounds<'_>) -> f64 {
        *grads += self.0 * *params;
        *grads
    }
}
