//! A penalty on the activations.

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, Range, ShapeError, describe, described};
use chainrule_tensor::{Real, Shape, map};

/// The identity, which in training adds a penalty on its values to the loss: `l1 Σ |x| + l2 Σ x²` for each sample, averaged
/// over the batch as losses are (Keras' `ActivityRegularization`).
///
/// Only the gradient includes the penalty: the loss that a trainer reports does not.
#[derive(Clone, Copy, Debug)]
pub struct ActivityRegularization {
    l1: f64,
    l2: f64,
}

describe! {
    /// Adds a penalty of its values to the loss.
    ActivityRegularization = "activity_regularization";
    formula "penalty = l1 Σ|x| + l2 Σx²";
    settings {
        /// The factor of the absolute values.
        l1: 0.0, Range::FINITE;
        /// The factor of the squares.
        l2: 0.0, Range::FINITE;
    }
}

impl ActivityRegularization {
    /// With these factors of the absolute values and of the squares.
    pub fn new(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }
}

impl<T: Real> Layer<T> for ActivityRegularization {
    /// Whether the last forward pass was training.
    type Cache = bool;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, bool), ShapeError> {
        if ![self.l1, self.l2].iter().all(|&factor| factor >= 0.0 && T::of(2.0 * factor).is_finite()) {
            let help = "choose factors of at least 0";
            return Err(plan.setting_error(input, "finite factors", help));
        }
        Ok((input, false))
    }

    described!();

    fn forward(&self, Forward { x, mut y, cache, mode, .. }: Forward<'_, T, bool>) {
        *cache = mode != Mode::Eval;
        y.assign(&x);
    }

    fn backward(&self, Backward { x, dy, dx, cache, share, .. }: Backward<'_, T, bool>) {
        let Some(mut dx) = dx else { return };
        if !*cache {
            return dx.assign(&dy);
        }
        // The share of one row is the weight of one sample in the batch.
        let row = share / T::of(x.nrows().max(1) as f64);
        let l1 = row * T::of(self.l1);
        let l2 = row * T::of(2.0 * self.l2);
        map!(
            dx = |x, dy| {
                let sign = if x > T::zero() { l1 } else { -l1 };
                let sign = if x == T::zero() { x } else { sign };
                dy + sign + l2 * x //       dx = dy + (l1 sign x + 2 l2 x) / m
            }
        );
    }
}
