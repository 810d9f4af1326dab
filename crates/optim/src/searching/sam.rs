use chainrule_core::{Range, describe, described};
use chainrule_tensor::each;

use crate::{Bounds, Optimizer, Real, Update, UpdateRule, Whole, vector};

/// SAM, sharpness-aware minimisation (Foret et al. 2021): a stage that replaces the gradient by that at the point nearby where the loss
/// is about largest.
///
/// ```text
/// g ← ∇J(p + ρ g / ‖g‖)                 adaptive: p + ρ p² g / ‖|p| g‖
/// ```
///
/// `(Sam::default(), sgd(0.1).momentum(0.9))`. Each step evaluates its batch twice, with the same dropout, and running statistics are
/// those of the first time. The norm is over all parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sam {
    /// How far the point is, ρ.
    pub rho: f64,
    /// Whether the distance of each value is measured in its own size (ASAM, Kwon et al. 2021); ρ is then often 2.
    pub adaptive: bool,
}

impl Default for Sam {
    fn default() -> Self {
        Self { rho: 0.05, adaptive: false }
    }
}

describe! {
    /// Replaces the gradient by that at the point nearby where the loss is about largest.
    Sam = "sam";
    formula "g ← ∇J(p + ρ g / ‖g‖)";
    source "Foret et al. 2021, algorithm 1";
    settings {
        /// How far the point is, ρ.
        rho: 0.05, Range::NOT_NEGATIVE;
        /// Whether the distance of each value is measured in its own size.
        adaptive: false;
    }
}

impl Optimizer for Sam {
    described!(check_settings);

    fn slots(&self) -> usize {
        1
    }

    fn needs_whole_parameters(&self) -> bool {
        true
    }

    fn evaluates_again(&self) -> bool {
        true
    }
}

impl<T: Real> UpdateRule<T> for Sam {
    fn transform_all(&self, mut whole: Whole<'_, T>) {
        let mut square = 0.0;
        whole.for_each(|Update { params: p, grads: g, .. }| {
            square += if self.adaptive {
                p.iter().zip(&*g).map(|(p, g)| (p.as_f64() * g.as_f64()).powi(2)).sum()
            } else {
                vector::sum_squares(g)
            };
        });
        let scale = T::of(self.rho / (square.sqrt() + 1e-12));
        let adaptive = self.adaptive;
        whole.for_each(|pass| {
            let (p, grads, [kept]) = pass.split();
            kept.copy_from_slice(p);
            each!(p = |g: grads| p + (if adaptive { p * p * g } else { g }) * scale);
        });
        whole.evaluate();
        whole.for_each(|pass| {
            let (p, _, [kept]) = pass.split();
            p.copy_from_slice(kept);
        });
    }

    fn update(&self, _: Update<'_, T>) {}

    fn bound(&self, _: Bounds<'_>) -> f64 {
        // The gradients at another point may have any size.
        f64::INFINITY
    }
}
