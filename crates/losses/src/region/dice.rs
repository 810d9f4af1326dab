//! The Dice loss.

use chainrule_core::{describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetError};

use super::overlap::{Overlap, Sums, batch_overlap, each_overlap};
use crate::row_loss::{rows_with_weights, scope_of_rows, weights_of_rows};
use crate::{Criterion, Domain, Loss, LossPass, RowLoss, Scope, checks_any_target};

/// What is added to the denominator, as in Keras.
const EPSILON: f64 = 1e-7;

/// The Dice loss `L = 1 - 2 Σ t y / (Σ t + Σ y + 10⁻⁷)` of outputs that are probabilities of belonging to a region: 0 where it is the
/// target's (Milletari et al. 2016). The gradient is `-2 (t - Σ t y / D) / D` with the denominator D. Targets are from 0 to 1.
///
/// The sums are over the columns of a row, or, [over the batch](Self::over_batch), over all of its rows, as Keras has it by default:
/// then small regions count as much as they are large. The weight of a sample weighs its part of these sums.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dice {
    /// Whether the sums are over all rows of a batch.
    pub over_batch: bool,
}

describe! {
    /// 1 less twice the overlap of a region, divided by the sum of both regions.
    Dice = "dice";
    aliases ["dice_loss"];
    formula "L = 1 - 2 Σ t y / (Σ t + Σ y + ε)";
    source "Milletari et al. 2016";
    settings {
        /// Whether the sums are over all rows of a batch.
        over_batch: false;
    }
    presets { keras { over_batch = true } }
}

impl Criterion for Dice {
    fn outputs(&self) -> Outputs {
        Outputs::Probabilities
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("Dice").yes_or_no()
    }

    described!(validate);
}

fn overlap(Sums { both, target, output }: Sums) -> Overlap {
    let denominator = target + output + EPSILON;
    Overlap {
        loss: 1.0 - 2.0 * both / denominator,
        of_both: -2.0 / denominator,
        of_output: 2.0 * both / (denominator * denominator),
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for Dice {
    fn rows(&self, pass: LossPass<'_, T, Y>) {
        if self.over_batch {
            batch_overlap(self, pass, overlap);
        } else {
            rows_with_weights(self, pass);
        }
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        self.domain().check(columns, targets)
    }

    fn scope(&self) -> Scope {
        if self.over_batch { Scope::Batch } else { scope_of_rows::<T, Y>(self) }
    }

    fn weights(&self, targets: &[Y], weights: &mut [f64]) {
        if self.over_batch {
            weights.fill(1.0);
        } else {
            weights_of_rows(self, targets, weights);
        }
    }
}

impl RowLoss for Dice {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        each_overlap(self, pass, overlap);
    }
}

checks_any_target!(Dice);
