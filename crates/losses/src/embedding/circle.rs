//! The circle loss of a batch.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::{Outputs, Real, Target, TargetError};

use super::anchors::{Anchor, Pairing, counts, each_anchor, log_sum_exp, softplus};
use crate::{Criterion, Domain, Loss, LossPass, Scope, checks_any_target};

/// The circle loss of a batch, `Lᵢ = ln(1 + Σₚ exp(γ (dₚ² - m²)) Σₙ exp(γ (1 + m - dₙ)(1 - m - dₙ)))`, over the embeddings p with the
/// label of the row i and those n with others, where `d = 1 - s` is at least 0 and s the product of two embeddings (Sun et al. 2020,
/// as Keras has it: with the gradient through the weights of the pairs, too). Embeddings should have the norm 1.
///
/// It is over the whole batch, whatever shards it is in. A row without another of its label, or without one of another label, has
/// the loss 0 and does not count, as in Keras. The target is a class of any number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// The scale γ, above 0.
    pub gamma: f64,
    /// The margin m, from 0 to 1.
    pub margin: f64,
    /// Whether a row is not compared with itself.
    pub remove_diagonal: bool,
}

impl Default for Circle {
    fn default() -> Self {
        Self { gamma: 80.0, margin: 0.4, remove_diagonal: true }
    }
}

describe! {
    /// Embeddings of one label are nearer than others of the batch, and those more that are far off.
    Circle = "circle";
    aliases ["circle_loss"];
    formula "L = ln(1 + Σ exp(γ (d² - m²)) Σ exp(γ (1 + m - d')(1 - m - d'))); d = 1 - a·b of one label, d' of others";
    source "Sun et al. 2020";
    settings {
        /// The scale γ.
        gamma: 80.0, Range::POSITIVE;
        /// The margin m.
        margin: 0.4, Range::UNIT;
        /// Whether a row is not compared with itself.
        remove_diagonal: true;
    }
}

impl Criterion for Circle {
    fn outputs(&self) -> Outputs {
        Outputs::Values
    }

    fn domain(&self) -> Domain {
        Domain::classes("Circle")
    }

    described!(validate);
}

impl Circle {
    fn anchor(&self, Anchor { products, slopes, pairing }: Anchor<'_>) -> f64 {
        let Self { gamma, margin, remove_diagonal } = *self;
        let distance = |other: usize| {
            let distance = 1.0 - products[other];
            if distance < 0.0 { 0.0 } else { distance }
        };
        let like = |other: &usize| match pairing(*other) {
            Pairing::Itself => !remove_diagonal,
            Pairing::Positive => true,
            Pairing::Negative => false,
        };
        let positives = || (0..products.len()).filter(&like);
        let negatives = || (0..products.len()).filter(|&other| pairing(other) == Pairing::Negative);
        let of_positive = |other: usize| gamma * (distance(other) * distance(other) - margin * margin);
        let of_negative = |other: usize| {
            let room = 1.0 + margin - distance(other);
            gamma * (if room < 0.0 { 0.0 } else { room }) * (1.0 - margin - distance(other))
        };
        let positive = log_sum_exp(positives().map(of_positive));
        let negative = log_sum_exp(negatives().map(of_negative));
        let sum = positive + negative;
        let share = 1.0 / (1.0 + (-sum).exp());
        if share == 0.0 {
            return softplus(sum);
        }
        // A product above 1 is as near as it can be.
        let towards = |other: usize| if products[other] < 1.0 { -1.0 } else { 0.0 };
        for other in positives() {
            let slope = 2.0 * gamma * distance(other) * towards(other);
            slopes[other] = share * (of_positive(other) - positive).exp() * slope;
        }
        for other in negatives() {
            let slope =
                if distance(other) < 1.0 + margin { 2.0 * gamma * (distance(other) - 1.0) } else { 0.0 };
            slopes[other] = share * (of_negative(other) - negative).exp() * slope * towards(other);
        }
        softplus(sum)
    }
}

impl<T: Real, Y: Target<T>> Loss<T, Y> for Circle {
    fn rows(&self, pass: LossPass<'_, T, Y>) {
        each_anchor(pass, false, |anchor| self.anchor(anchor));
    }

    fn check(&self, columns: usize, targets: &[Y]) -> Result<(), TargetError> {
        self.domain().check(columns, targets)
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, targets: &[Y], weights: &mut [f64]) {
        for ((weight, target), (positives, negatives)) in weights.iter_mut().zip(targets).zip(counts(targets))
        {
            let compared = (positives > 0 || !self.remove_diagonal) && negatives > 0;
            *weight = if compared { target.weight() } else { 0.0 };
        }
    }
}

checks_any_target!(Circle);
