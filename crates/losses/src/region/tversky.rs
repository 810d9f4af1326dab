//! The Tversky loss.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetError};

use super::overlap::{Overlap, Sums, batch_overlap, each_overlap};
use crate::row_loss::{rows_with_weights, scope_of_rows, weights_of_rows};
use crate::{Criterion, Domain, Loss, LossPass, RowLoss, Scope, checks_any_target};

/// What is added to the denominator, as in Keras.
const EPSILON: f64 = 1e-7;

/// The Tversky loss `L = 1 - Σ t y / (Σ t y + α Σ t (1 - y) + β Σ y (1 - t) + 10⁻⁷)` of outputs that are probabilities of belonging to
/// a region: α weighs what is missed of it, β what is too much, as in Keras (Salehi et al. 2017). With both one half it is
/// [`Dice`](crate::Dice). Targets are from 0 to 1.
///
/// The sums are over the columns of a row, or, [over the batch](Self::over_batch), over all of its rows, as Keras has it by default.
/// The weight of a sample weighs its part of these sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tversky {
    /// The weight of what is missed, α; at least 0.
    pub alpha: f64,
    /// The weight of what is too much, β; at least 0.
    pub beta: f64,
    /// Whether the sums are over all rows of a batch.
    pub over_batch: bool,
}

impl Default for Tversky {
    fn default() -> Self {
        Self { alpha: 0.5, beta: 0.5, over_batch: false }
    }
}

describe! {
    /// The overlap of a region, with weights for what is missed of it and what is too much.
    Tversky = "tversky";
    aliases ["tversky_loss"];
    formula "L = 1 - Σ t y / (Σ t y + α Σ t (1 - y) + β Σ y (1 - t) + ε)";
    source "Salehi et al. 2017";
    settings {
        /// The weight of what is missed, α.
        alpha: 0.5, Range::NOT_NEGATIVE;
        /// The weight of what is too much, β.
        beta: 0.5, Range::NOT_NEGATIVE;
        /// Whether the sums are over all rows of a batch.
        over_batch: false;
    }
    presets { keras { over_batch = true } }
}

impl Criterion for Tversky {
    fn outputs(&self) -> Outputs {
        Outputs::Probabilities
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("Tversky").yes_or_no()
    }

    described!(validate);
}

impl Tversky {
    fn overlap(&self, Sums { both, target, output }: Sums) -> Overlap {
        let Self { alpha, beta, .. } = *self;
        let denominator = both + alpha * (target - both) + beta * (output - both) + EPSILON;
        let ratio = both / denominator;
        Overlap {
            loss: 1.0 - ratio,
            of_both: -(1.0 - ratio * (1.0 - alpha - beta)) / denominator,
            of_output: ratio * beta / denominator,
        }
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for Tversky {
    fn rows(&self, pass: LossPass<'_, T, Y>) {
        if self.over_batch {
            batch_overlap(self, pass, |sums| self.overlap(sums));
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

impl RowLoss for Tversky {
    fn compute<T: Real, Y: Target<T>>(&self, pass: LossPass<'_, T, Y>) {
        each_overlap(self, pass, |sums| self.overlap(sums));
    }
}

checks_any_target!(Tversky);
