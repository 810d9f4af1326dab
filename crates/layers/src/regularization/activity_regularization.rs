//! A penalty of the activations.

use chainrule_core::{Backward, Forward, Layer, Mode, Plan, ShapeError};
use chainrule_tensor::{Real, Shape, vector};

/// The identity, which in training adds to the gradient of the loss that of a penalty of the values that pass:
/// `l1 Σ |x| + l2 Σ x²` for each sample, averaged over the batch as losses are (Keras' `ActivityRegularization`).
///
/// So training minimises the loss and the penalty together. The penalty's value is in no report: the loss that a
/// trainer shows is the loss alone.
#[derive(Clone, Copy, Debug)]
pub struct ActivityRegularization {
    l1: f64,
    l2: f64,
}

impl ActivityRegularization {
    /// With these factors of the magnitudes and of the squares.
    pub fn new(l1: f64, l2: f64) -> Self {
        Self { l1, l2 }
    }
}

impl<T: Real> Layer<T> for ActivityRegularization {
    /// Whether the last forward pass was training.
    type Cache = bool;

    fn plan(&self, input: Shape, plan: &mut Plan) -> Result<(Shape, bool), ShapeError> {
        if ![self.l1, self.l2].iter().all(|factor| *factor >= 0.0 && factor.is_finite()) {
            let help = "choose factors of at least 0";
            return Err(plan.error(input, "any samples, with finite factors,", help));
        }
        Ok((input, false))
    }

    fn forward(&self, Forward { x, mut y, cache, mode, .. }: Forward<'_, T, bool>) {
        *cache = mode != Mode::Eval;
        y.assign(&x);
    }

    fn backward(&self, Backward { x, dy, dx, cache, share, .. }: Backward<'_, T, bool>) {
        let Some(mut dx) = dx else { return };
        if !*cache {
            return dx.assign(&dy);
        }
        // One sample's part of the batch is the share of one row.
        let row = share / T::of(x.nrows().max(1) as f64);
        let (l1, l2) = (row * T::of(self.l1), row * T::of(2.0 * self.l2));
        vector::map2(
            x,
            dy,
            dx,
            #[inline(always)]
            |x, dy| {
                let slope = if x > T::zero() { l1 } else { -l1 };
                let slope = if x == T::zero() { x } else { slope };
                dy + slope + l2 * x //       dx = dy + (l1 sign x + 2 l2 x) / m
            },
        );
    }
}
