//! The negative log-likelihood of classes.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetView};

use super::cross_entropy::weight_of_class;
use crate::total::weighted;
use crate::{Criterion, Domain, LossPass, Row, RowLoss, each_row, row_loss};

/// The negative log-likelihood `L = -Σⱼ wⱼ tⱼ zⱼ`, where the outputs z are logarithms of probabilities, as a `LogSoftmax` gives
/// them, with the gradient `-w t`: PyTorch's `NLLLoss`. [`CrossEntropy`](struct@crate::CrossEntropy) does both in one. Targets are
/// from 0 to 1.
///
/// The mean of a batch divides by the sum of the weights of its classes; a target that is a vector counts 1 there, and a class that
/// is ignored 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nll {
    /// The weight of each class, if they have any.
    pub weight: Option<Vec<f64>>,
    /// A class whose samples do not count.
    pub ignore_index: Option<usize>,
}

describe! {
    /// The negative log-likelihood of classes; the outputs are logarithms of probabilities.
    Nll = "nll";
    aliases ["nll_loss"];
    formula "L = -Σ w t z";
    source "PyTorch";
    settings {
        /// The weight of each class.
        weight ("class_weight"): none, Range::NOT_NEGATIVE;
        /// A class whose samples do not count.
        ignore_index ("ignore_class"): none;
    }
}

impl Criterion for Nll {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        let domain = Domain::probabilities("Nll").ignoring(self.ignore_index);
        domain.weighted_by(self.weight.as_deref())
    }

    described!(validate);
}

impl RowLoss for Nll {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        each_row(self.domain(), pass, &|Row { y, t, slopes, .. }| {
            let wanted =
                |column: usize| self.weight.as_ref().map_or(1.0, |weight| weight[column]) * t[column];
            slopes.iter_mut().enumerate().for_each(|(column, slope)| *slope = -wanted(column));
            y.iter().enumerate().map(|(column, &ln)| -weighted(wanted(column), ln)).sum()
        });
    }

    fn has_weights(&self) -> bool {
        self.weight.is_some() || self.ignore_index.is_some()
    }

    fn weight<T: Real>(&self, target: TargetView<'_, T>) -> f64 {
        weight_of_class(self.weight.as_deref(), self.ignore_index, target)
    }
}

row_loss!(Nll);
