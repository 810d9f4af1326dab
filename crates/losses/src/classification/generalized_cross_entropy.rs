//! The generalised cross-entropy, for labels of which some are wrong.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::log_softmax::log_softmax;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The minimum of a probability in the gradient, as of the other losses of probabilities.
const MIN_PROBABILITY: f64 = 1e-7;

/// The generalised cross-entropy `L = (1 - p^q)/q`, where p is the probability of the target, `p = Σⱼ tⱼ pⱼ`, from the softmax of the outputs (logits) or the outputs themselves (Zhang and Sabuncu 2018). Towards q = 0 it is
/// the cross-entropy, with q = 1 the mean absolute error of the probability, which wrong labels disturb less. Targets are from 0
/// to 1.
///
/// The gradient with respect to logits is `-p^(q-1) pₖ (tₖ - p)`, and with respect to probabilities `-p^(q-1) tₖ`, in which p is at
/// least 1e-7: at 0 there would be none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CategoricalGeneralizedCrossEntropy {
    /// Between the cross-entropy, near 0, and the absolute error, 1.
    pub q: f64,
    /// Whether the outputs are probabilities instead of logits.
    pub from_probabilities: bool,
}

impl Default for CategoricalGeneralizedCrossEntropy {
    fn default() -> Self {
        Self { q: 0.5, from_probabilities: false }
    }
}

describe! {
    /// Between the cross-entropy and the absolute error of the probability, for labels of which some are wrong.
    CategoricalGeneralizedCrossEntropy = "categorical_generalized_cross_entropy";
    aliases ["generalized_cross_entropy", "gce"];
    formula "L = (1 - p^q)/q; p = Σ t softmax(z)";
    source "Zhang and Sabuncu 2018";
    settings {
        /// Between the cross-entropy, near 0, and the absolute error, 1.
        q: 0.5, Range::between(0.0, 1.0, "above 0 and at most 1").without_low();
        /// Whether the outputs are probabilities instead of logits.
        from_probabilities: false;
    }
    presets { keras { from_probabilities = true } }
}

impl Criterion for CategoricalGeneralizedCrossEntropy {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Logits }
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("CategoricalGeneralizedCrossEntropy")
    }

    described!(validate);
}

impl VectorLoss for CategoricalGeneralizedCrossEntropy {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let q = self.q;
        if self.from_probabilities {
            let p: f64 = y.iter().zip(t).map(|(y, t)| y * t).sum();
            let steep = if p < MIN_PROBABILITY { MIN_PROBABILITY } else { p }.powf(q - 1.0);
            slopes.iter_mut().zip(t).for_each(|(slope, t)| *slope = -steep * t);
            return (1.0 - p.powf(q)) / q;
        }
        log_softmax(y, slopes);
        // ln p = ln Σ t exp(ln pⱼ), from the largest on, so that a small p keeps its digits.
        let wanted = || slopes.iter().zip(t).filter(|&(ln, &t)| t != 0.0 || ln.is_nan());
        let max =
            wanted().fold(f64::NEG_INFINITY, |max, (&ln, _)| if ln > max || ln.is_nan() { ln } else { max });
        if max == f64::NEG_INFINITY {
            slopes.fill(0.0);
            return 1.0 / q;
        }
        let ln = max + wanted().map(|(ln, t)| t * (ln - max).exp()).sum::<f64>().ln();
        let power = (q * ln).exp();
        for (slope, t) in slopes.iter_mut().zip(t) {
            // p^(q-1) pₖ = p^q exp(ln pₖ - ln p).
            let relative = (*slope - ln).exp();
            *slope = if *t == 0.0 { power * slope.exp() } else { -power * (relative * t - slope.exp()) };
        }
        (1.0 - power) / q
    }
}

vector_loss!(CategoricalGeneralizedCrossEntropy);
