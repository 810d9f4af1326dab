//! The focal loss of a distribution over classes.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::focal::power;
use super::log_softmax::log_softmax;
use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The minimum distance of a probability from 0 and from 1, as in Keras.
const MARGIN: f64 = 1e-7;

/// The focal loss of a distribution over classes, `L = -α Σⱼ (1 - pⱼ)ᵞ tⱼ ln pⱼ`, where p is the softmax of the outputs (logits), or
/// the outputs divided by their sum: samples that are right already count less (Lin et al. 2017). With α = 1 and γ = 0 it is
/// [`CrossEntropy`](struct@crate::CrossEntropy). Targets are from 0 to 1.
///
/// The gradient with respect to logits is `α (tₖ hₖ - pₖ Σⱼ tⱼ hⱼ)` with `h = γ p (1 - p)ᵞ⁻¹ ln p - (1 - p)ᵞ`. Logits are not
/// clipped; probabilities are clipped to 1e-7 and 1 - 1e-7, as in Keras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalFocal {
    /// How much less samples count that are right, γ; at least 0.
    pub gamma: f64,
    /// A factor of the loss, α; at least 0.
    pub alpha: f64,
    /// The part of every target that is spread evenly over the classes.
    pub label_smoothing: f64,
    /// Whether the outputs are probabilities instead of logits.
    pub from_probabilities: bool,
}

impl Default for CategoricalFocal {
    fn default() -> Self {
        Self { gamma: 2.0, alpha: 0.25, label_smoothing: 0.0, from_probabilities: false }
    }
}

describe! {
    /// The cross-entropy of classes in which samples count less that are right already.
    CategoricalFocal = "categorical_focal";
    aliases ["focal", "focal_loss", "categorical_focal_crossentropy", "categorical_focal_cross_entropy"];
    formula "L = -α Σ (1 - p)^γ t ln p";
    source "Lin et al. 2017";
    settings {
        /// How much less samples count that are right, γ.
        gamma: 2.0, Range::NOT_NEGATIVE;
        /// A factor of the loss, α.
        alpha: 0.25, Range::NOT_NEGATIVE;
        /// The part of every target that is spread evenly over the classes.
        label_smoothing: 0.0, Range::UNIT;
        /// Whether the outputs are probabilities instead of logits.
        from_probabilities: false;
    }
    presets { keras { from_probabilities = true } }
}

impl Criterion for CategoricalFocal {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Logits }
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("CategoricalFocal")
    }

    described!(validate);
}

impl CategoricalFocal {
    /// `-(1 - p)ᵞ ln p`, and p times its derivative, for `ln p`.
    fn term(&self, ln: f64) -> (f64, f64) {
        let (factor, slope) = power(-ln.exp_m1(), self.gamma);
        (-weighted(factor, ln), weighted(slope * ln.exp(), ln) - factor)
    }
}

impl VectorLoss for CategoricalFocal {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let even = self.label_smoothing / y.len() as f64;
        let wanted = |column: usize| (1.0 - self.label_smoothing) * t[column] + even;
        let mut loss = 0.0;
        let mut spread = 0.0;
        if self.from_probabilities {
            let sum: f64 = y.iter().sum();
            for (column, slope) in slopes.iter_mut().enumerate() {
                let share = y[column] / sum;
                let p = share.clamp(MARGIN, 1.0 - MARGIN);
                let (value, derivative) = self.term(p.ln());
                loss += weighted(wanted(column), value);
                *slope = wanted(column) * derivative / p;
                spread += *slope * share;
            }
            slopes.iter_mut().for_each(|slope| *slope = self.alpha * (*slope - spread) / sum);
            return self.alpha * loss;
        }
        log_softmax(y, slopes);
        for (column, &ln) in slopes.iter().enumerate() {
            let (value, derivative) = self.term(ln);
            loss += weighted(wanted(column), value);
            spread += wanted(column) * derivative;
        }
        for (column, slope) in slopes.iter_mut().enumerate() {
            let ln = *slope;
            *slope = self.alpha * (wanted(column) * self.term(ln).1 - ln.exp() * spread);
        }
        self.alpha * loss
    }
}

vector_loss!(CategoricalFocal);
