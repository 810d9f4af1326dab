//! The contrastive loss of a batch.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetError};

use super::anchors::{Anchor, Pairing, counts, each_anchor, log_sum_exp, softplus};
use crate::{Criterion, Domain, Loss, LossPass, Scope, checks_any_target};

/// The normalised cross-entropy of a batch with a temperature τ, NT-Xent (Chen et al. 2020, SimCLR): for each pair of embeddings
/// with one label, `L = -ln(exp sᵢⱼ / (exp sᵢⱼ + Σₖ exp sᵢₖ))` over all embeddings k with other labels, where `s = cos / τ`.
///
/// It is over the whole batch, whatever shards it is in: the loss of a row is the sum over its pairs, and counts as many as they
/// are, so that the mean is over all pairs, as in optax. A batch without a pair has the loss 0. The target is a class of any
/// number: two views of one image have the image's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NtXent {
    /// The temperature τ, above 0.
    pub temperature: f64,
}

impl Default for NtXent {
    fn default() -> Self {
        Self { temperature: 0.07 }
    }
}

describe! {
    /// Embeddings of one label are more alike than others of the batch.
    NtXent = "nt_xent";
    aliases ["ntxent", "nt_xent_loss", "simclr", "info_nce"];
    formula "L = -ln(exp s / (exp s + Σ exp s')); s = cos(a, b)/τ of one label, s' of others";
    source "Chen et al. 2020";
    settings {
        /// The temperature τ.
        temperature: 0.07, Range::POSITIVE;
    }
}

impl Criterion for NtXent {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::classes("NtXent")
    }

    described!(validate);
}

impl NtXent {
    fn anchor(&self, Anchor { products, slopes, pairing }: Anchor<'_>) -> f64 {
        let s = |other: usize| products[other] / self.temperature;
        let of = |kind: Pairing| (0..products.len()).filter(move |&other| pairing(other) == kind);
        let others = log_sum_exp(of(Pairing::Negative).map(s));
        let mut loss = 0.0;
        // How probable it is that another embedding is taken for the positive, summed over the positives.
        let mut mistaken = 0.0;
        for positive in of(Pairing::Positive) {
            let behind = others - s(positive);
            loss += softplus(behind);
            let share = 1.0 / (1.0 + (-behind).exp());
            slopes[positive] = -share / self.temperature;
            mistaken += share;
        }
        for negative in of(Pairing::Negative) {
            slopes[negative] = mistaken * (s(negative) - others).exp() / self.temperature;
        }
        loss
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for NtXent {
    fn rows(&self, pass: LossPass<'_, T, Y>) {
        each_anchor(pass, true, |anchor| self.anchor(anchor));
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        self.domain().check(columns, targets)
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, targets: &[Y], weights: &mut [f64]) {
        for ((weight, target), (positives, _)) in weights.iter_mut().zip(targets).zip(counts(targets)) {
            *weight = target.weight() * positives as f64;
        }
    }
}

checks_any_target!(NtXent);
