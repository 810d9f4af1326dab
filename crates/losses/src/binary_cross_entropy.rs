//! The cross-entropy of independent yes-or-no outputs.

use chainrule_tensor::{Real, Target, Wanted};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Loss, TargetError, loss};

/// Keras keeps probabilities this far from 0 and from 1.
const LEAST: f64 = 1e-7;

/// `L = -1/n Σⱼ (tⱼ ln pⱼ + (1 - tⱼ) ln(1 - pⱼ))` over the n columns, where p is the sigmoid of the outputs
/// (logits), or the outputs themselves.
///
/// From logits z each term is `max(z, 0) - z t + ln(1 + exp(-|z|))`, in which nothing overflows, with the
/// gradient `p - t`; as PyTorch's `BCEWithLogitsLoss`. From probabilities, they are kept between 1e-7 and
/// 1 - 1e-7, as in Keras. A class is its one-hot vector; where there is one column, the classes are 0 and 1,
/// and the class is the value.
#[derive(Clone, Copy, Debug, Default)]
pub struct BinaryCrossEntropy {
    from_probabilities: bool,
}

impl BinaryCrossEntropy {
    /// For outputs that are probabilities already.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true }
    }

    /// The loss of one output, and its derivative.
    #[inline]
    fn term<T: Real>(self, y: T, t: T) -> (T, T) {
        let one = T::one();
        if self.from_probabilities {
            let least = T::of(LEAST).max(T::epsilon());
            let p = if y < least {
                least
            } else if y > one - least {
                one - least
            } else {
                y
            };
            (-(t * p.fast_ln() + (one - t) * (one - p).fast_ln()), (p - t) / (p * (one - p)))
        } else {
            let positive = if y < T::zero() { T::zero() } else { y };
            (positive - y * t + (-y.abs()).fast_exp().fast_ln_1p(), y.fast_sigmoid() - t)
        }
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for BinaryCrossEntropy {
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, mut dy: Option<ArrayViewMut2<'_, T>>) -> T {
        let single = y.ncols() == 1;
        let scale = scale / T::of(y.ncols() as f64);
        let mut sum = T::zero();
        for (row, (y, target)) in y.rows().into_iter().zip(targets).enumerate() {
            let wanted = target.wanted();
            let mut dy = dy.as_mut().map(|dy| dy.row_mut(row));
            for (column, &y) in y.iter().enumerate() {
                let t = match wanted {
                    Wanted::Class(class) if single => T::of(class as f64),
                    wanted => wanted.at(column),
                };
                let (value, slope) = self.term(y, t);
                sum += value;
                if let Some(dy) = &mut dy {
                    dy[column] = scale * slope;
                }
            }
        }
        scale * sum
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        loss::check(columns, columns.max(2), targets)
    }
}
