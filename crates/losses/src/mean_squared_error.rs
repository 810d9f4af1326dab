//! The mean squared error.

use chainrule_tensor::{Real, Target};
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Loss, TargetError, loss};

/// The mean squared error `L = 1/n Σⱼ (yⱼ - tⱼ)²` over the n columns, with the gradient `2/n (y - t)`: the mean over
/// all values, as in PyTorch and Keras.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeanSquaredError;

impl<T: Real, Y: Target<T>> Loss<T, Y> for MeanSquaredError {
    fn loss(&self, y: ArrayView2<'_, T>, targets: &[Y], scale: T, mut dy: Option<ArrayViewMut2<'_, T>>) -> T {
        let scale = scale / T::of(y.ncols() as f64);
        let mut sum = T::zero();
        for (row, (y, target)) in y.rows().into_iter().zip(targets).enumerate() {
            let view = target.view();
            let errors = y.iter().enumerate().map(|(column, &y)| y - view.at(column));
            match dy.as_mut().map(|dy| dy.row_mut(row)) {
                Some(mut dy) => {
                    for (dy, error) in dy.iter_mut().zip(errors) {
                        sum += error * error;
                        *dy = scale * (error + error);
                    }
                }
                None => sum += errors.map(|error| error * error).sum(),
            }
        }
        scale * sum
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        loss::check(columns, columns, targets)
    }
}
