//! The cross-entropy of independent binary outputs.

use chainrule_tensor::{Real, Target, TargetView, map};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Loss, TargetError, loss};

/// The minimum distance of a probability from 0 and from 1, as in Keras.
const MARGIN: f64 = 1e-7;

/// The binary cross-entropy `L = -1/n Σⱼ (tⱼ ln pⱼ + (1 - tⱼ) ln(1 - pⱼ))` over the n columns, where p is the sigmoid of
/// the outputs (logits), or the outputs themselves.
///
/// From logits z each term is `max(z, 0) - z t + ln(1 + exp(-|z|))`, in which nothing overflows, with the gradient
/// `p - t`, as in PyTorch's `BCEWithLogitsLoss`. Probabilities are clipped to 1e-7 and 1 - 1e-7, as in Keras. A class
/// stands for its one-hot vector; with a single column, the classes are 0 and 1, and the class is the target value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    from_probabilities: bool,
}

impl BinaryCrossEntropy {
    /// For outputs that are already probabilities.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true }
    }

    /// The loss of one probability, and its derivative.
    #[inline]
    fn of_probability<T: Real>(p: T, t: T) -> (T, T) {
        let one = T::one();
        let margin = T::of(MARGIN).max(T::epsilon());
        let p = if p < margin { margin } else { p };
        let p = if p > one - margin { one - margin } else { p };
        (-(t * p.fast_ln() + (one - t) * (one - p).fast_ln()), (p - t) / (p * (one - p)))
    }
}

/// `ln(1 + eᶻ) = max(z, 0) + ln(1 + e^-|z|)`: the loss of a logit whose target is 0.
#[inline(always)]
fn softplus<T: Real>(z: T) -> T {
    let positive = if z < T::zero() { T::zero() } else { z };
    positive + (-z.abs()).fast_exp().fast_ln_1p()
}

/// The target value of a column; with a single column, a class is its value.
#[inline]
fn target_at<T: Real>(view: TargetView<'_, T>, column: usize, columns: usize) -> T {
    match view {
        TargetView::Class(class) if columns == 1 => T::of(class as f64),
        view => view.at(column),
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for BinaryCrossEntropy {
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, mut dy: Option<ArrayViewMut2<'_, T>>) -> T {
        let columns = y.ncols();
        let scale = scale / T::of(columns as f64);
        let mut sum = T::zero();
        if self.from_probabilities {
            for (row, (y, target)) in y.rows().into_iter().zip(targets).enumerate() {
                let view = target.view();
                let mut dy = dy.as_mut().map(|dy| dy.row_mut(row));
                for (column, &y) in y.iter().enumerate() {
                    let (value, derivative) = Self::of_probability(y, target_at(view, column, columns));
                    sum += value;
                    if let Some(dy) = &mut dy {
                        dy[column] = scale * derivative;
                    }
                }
            }
            return scale * sum;
        }
        let Some(mut dy) = dy else {
            for (y, target) in y.rows().into_iter().zip(targets) {
                let view = target.view();
                let values = y.iter().enumerate();
                sum += values.map(|(j, &z)| softplus(z) - z * target_at(view, j, columns)).sum();
            }
            return scale * sum;
        };
        // dy holds the transcendental functions of the whole batch, first the value's ...
        let losses = dy.view_mut();
        map!(losses = |z: y| softplus(z));
        for ((y, loss), target) in y.rows().into_iter().zip(dy.rows()).zip(targets) {
            let view = target.view();
            let values = y.iter().zip(loss).enumerate();
            sum += values.map(|(j, (&z, &loss))| loss - z * target_at(view, j, columns)).sum();
        }
        // ... then the gradient's.
        let sigmoids = dy.view_mut();
        map!(sigmoids = |z: y| z.fast_sigmoid());
        for (mut dy, target) in dy.rows_mut().into_iter().zip(targets) {
            let view = target.view();
            dy.iter_mut().enumerate().for_each(|(j, dy)| *dy = scale * (*dy - target_at(view, j, columns)));
        }
        scale * sum
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        loss::check(columns, columns.max(2), targets)
    }
}
