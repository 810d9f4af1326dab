//! The cross-entropy of independent yes-or-no outputs.

use chainrule_tensor::{Real, Target, TargetView, vector};
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
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BinaryCrossEntropy {
    from_probabilities: bool,
}

impl BinaryCrossEntropy {
    /// For outputs that are probabilities already.
    pub fn from_probabilities() -> Self {
        Self { from_probabilities: true }
    }

    /// The loss of one output, and its derivative, where the outputs are probabilities.
    #[inline]
    fn of_probability<T: Real>(p: T, t: T) -> (T, T) {
        let (one, least) = (T::one(), T::of(LEAST).max(T::epsilon()));
        let p = if p < least { least } else { p };
        let p = if p > one - least { one - least } else { p };
        (-(t * p.fast_ln() + (one - t) * (one - p).fast_ln()), (p - t) / (p * (one - p)))
    }
}

/// `ln(1 + eᶻ) = max(z, 0) + ln(1 + e^-|z|)`: the loss of a logit where 0 is wanted.
#[inline(always)]
fn softplus<T: Real>(z: T) -> T {
    let positive = if z < T::zero() { T::zero() } else { z };
    positive + (-z.abs()).fast_exp().fast_ln_1p()
}

/// What is wanted of a column: where there is only one, a class is its value.
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
                    let (value, slope) = Self::of_probability(y, target_at(view, column, columns));
                    sum += value;
                    if let Some(dy) = &mut dy {
                        dy[column] = scale * slope;
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
        // dy is the memory for the transcendental functions of the whole batch, first the value's ...
        vector::map(
            y,
            dy.view_mut(),
            #[inline(always)]
            |z| softplus(z),
        );
        for ((y, loss), target) in y.rows().into_iter().zip(dy.rows()).zip(targets) {
            let view = target.view();
            let values = y.iter().zip(loss).enumerate();
            sum += values.map(|(j, (&z, &loss))| loss - z * target_at(view, j, columns)).sum();
        }
        // ... then the gradient's.
        vector::map(
            y,
            dy.view_mut(),
            #[inline(always)]
            |z| z.fast_sigmoid(),
        );
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
