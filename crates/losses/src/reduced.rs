//! A loss with another reduction.

use chainrule_core::{Description, SettingError, SettingValue};
use chainrule_tensor::{Outputs, Real, TargetError};

use crate::{Criterion, Domain, Loss, LossPass, Reduction, Scope};

/// Another loss with this [`Reduction`]: the sum over a batch, or the mean over its rows whatever their weights.
///
/// ```
/// use chainrule_losses::{Loss, MeanSquaredError, Reduced, Reduction};
/// let y = ndarray::array![[1.0], [3.0]];
/// let sum = Reduced { loss: MeanSquaredError, reduction: Reduction::Sum };
/// assert_eq!(sum.reduced(y.view(), &[[0.0], [0.0]], None)?, 10.0);
/// # Ok::<(), chainrule_losses::TargetError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reduced<L> {
    /// The loss of a row.
    pub loss: L,
    /// What the sum of the rows' losses is divided by.
    pub reduction: Reduction,
}

impl<L: Criterion> Criterion for Reduced<L> {
    fn outputs(&self) -> Outputs {
        self.loss.outputs()
    }

    fn domain(&self) -> Domain {
        self.loss.domain()
    }

    fn description(&self) -> Description {
        Description::new("reduced")
            .with("loss", self.loss.description())
            .with("reduction", self.reduction.to_value())
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn validate(&self) -> Result<(), SettingError> {
        self.loss.validate()
    }
}

impl<T: Real, Y, L: Loss<T, Y>> Loss<T, Y> for Reduced<L> {
    fn rows(&self, pass: LossPass<'_, T, Y>) {
        self.loss.rows(pass);
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        self.loss.check(columns, targets)
    }

    fn scope(&self) -> Scope {
        self.loss.scope()
    }

    fn weights(&self, targets: &[Y], weights: &mut [f64]) {
        self.loss.weights(targets, weights);
    }
}
