//! The loss of counts.

use chainrule_tensor::{Outputs, Real};

use crate::total::weighted;
use crate::{ColumnLoss, Criterion, Domain, column_loss};

/// The negative log-likelihood of counts `L = 1/n Σⱼ (exp zⱼ - tⱼ zⱼ)` over the n columns, where the outputs z are the logarithms
/// of the rates of Poisson distributions, with the gradient `1/n (exp z - t)`: without `ln t!`, which no output changes, as in
/// PyTorch's `PoissonNLLLoss`. Targets are at least 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PoissonNll;

impl Criterion for PoissonNll {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::not_negative("PoissonNll")
    }
}

impl ColumnLoss for PoissonNll {
    #[inline(always)]
    fn value(&self, z: f64, t: f64) -> f64 {
        z.fast_exp() - weighted(t, z)
    }

    #[inline(always)]
    fn derivative(&self, z: f64, t: f64) -> f64 {
        z.fast_exp() - t
    }
}

column_loss!(PoissonNll);
