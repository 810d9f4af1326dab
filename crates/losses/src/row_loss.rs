//! Losses of single rows, and the weights of rows.

use chainrule_tensor::{Real, Target, TargetView};

use crate::{Criterion, LossPass, Scope, weighted};

/// A loss of which each row is computed for itself, from outputs and a target that is a class or a vector of values.
///
/// With its name in [`row_loss!`](crate::row_loss!), such a type is a [`Loss`](crate::Loss) for both precisions and all targets,
/// also [`Weighted`](crate::Weighted) ones, and for a class that is ignored.
pub trait RowLoss: Criterion {
    /// As [`Loss::rows`](crate::Loss::rows), without the weights of the samples.
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>);

    /// Whether a target says how much its row counts, apart from the weight of the sample: it does for a loss with weights of
    /// classes, or a class that is ignored.
    fn has_weights(&self) -> bool {
        false
    }

    /// How much a row with this target counts. [`compute`](Self::compute) has multiplied the loss by it.
    fn weight<T: Real>(&self, _target: TargetView<'_, T>) -> f64 {
        1.0
    }
}

/// Makes a [`Loss`](crate::Loss) of a type that is a [`RowLoss`].
#[macro_export]
macro_rules! row_loss {
    ($loss:ty) => {
        impl<T: $crate::Real, Y: $crate::Target<T>> $crate::Loss<T, Y> for $loss {
            fn rows(&self, pass: $crate::LossPass<'_, T, Y>) {
                $crate::rows_with_weights(self, pass);
            }

            fn check(&self, columns: usize, targets: &[Y]) -> Result<(), $crate::TargetError> {
                $crate::Criterion::domain(self).check(columns, targets)
            }

            fn scope(&self) -> $crate::Scope {
                $crate::scope_of_rows::<T, Y>(self)
            }

            fn weights(&self, targets: &[Y], weights: &mut [f64]) {
                $crate::weights_of_rows(self, targets, weights);
            }
        }

        $crate::checks_any_target!($loss);
    };
}

/// [`RowLoss::compute`], and the weights of the samples: for [`row_loss!`](crate::row_loss!).
#[doc(hidden)]
pub fn rows_with_weights<T: Real, Y: Target<T>>(loss: &impl RowLoss, mut pass: LossPass<'_, T, Y>) {
    if !Y::WEIGHTED {
        return loss.compute(pass);
    }
    loss.compute(pass.reborrow());
    let LossPass { targets, mut dy, losses, .. } = pass;
    for (row, (target, loss)) in targets.iter().zip(losses).enumerate() {
        let weight = target.weight();
        *loss = weighted(weight, *loss);
        if let Some(dy) = &mut dy {
            dy.row_mut(row).mapv_inplace(|dy| T::of(weighted(weight, dy.as_f64())));
        }
    }
}

/// For [`row_loss!`](crate::row_loss!).
#[doc(hidden)]
pub fn scope_of_rows<T: Real, Y: Target<T>>(loss: &impl RowLoss) -> Scope {
    if Y::WEIGHTED || loss.has_weights() { Scope::WeightedRow } else { Scope::Row }
}

/// For [`row_loss!`](crate::row_loss!).
#[doc(hidden)]
pub fn weights_of_rows<T: Real, Y: Target<T>>(loss: &impl RowLoss, targets: &[Y], weights: &mut [f64]) {
    for (weight, target) in weights.iter_mut().zip(targets) {
        *weight = target.weight() * loss.weight(target.view());
    }
}
