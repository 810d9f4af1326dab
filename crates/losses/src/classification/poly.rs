//! The polynomial cross-entropy.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::log_softmax::log_softmax;
use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The polynomial cross-entropy `L = Σⱼ tⱼ (-ln pⱼ + ε (1 - pⱼ))`, where p is the softmax of the outputs (logits): the
/// cross-entropy with another weight for the first term of its series in `1 - p` (Leng et al. 2022, Poly-1). The gradient is
/// `pₖ Σt - tₖ + ε (pₖ Σⱼ tⱼ pⱼ - tₖ pₖ)`. As in optax. Targets are from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolyCrossEntropy {
    /// The weight that is added, ε; finite, and more than -1 to be of use.
    pub epsilon: f64,
}

impl Default for PolyCrossEntropy {
    fn default() -> Self {
        Self { epsilon: 2.0 }
    }
}

describe! {
    /// The cross-entropy with another weight for the first term of its series in 1 - p.
    PolyCrossEntropy = "poly_cross_entropy";
    aliases ["poly", "poly_loss", "poly_loss_cross_entropy", "poly1"];
    formula "L = Σ t (-ln p + ε (1 - p)); p = softmax(z)";
    source "Leng et al. 2022";
    settings {
        /// The weight that is added, ε.
        epsilon ("eps"): 2.0, Range::FINITE;
    }
}

impl Criterion for PolyCrossEntropy {
    fn outputs(&self) -> Outputs {
        Outputs::Logits
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("PolyCrossEntropy")
    }

    described!(validate);
}

impl VectorLoss for PolyCrossEntropy {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        log_softmax(y, slopes);
        let mut loss = 0.0;
        let mut sum = 0.0;
        let mut hit = 0.0;
        for (&ln, &t) in slopes.iter().zip(t) {
            loss += weighted(t, -self.epsilon * ln.exp_m1()) - weighted(t, ln);
            sum += t;
            hit += t * ln.exp();
        }
        for (slope, t) in slopes.iter_mut().zip(t) {
            let p = slope.exp();
            *slope = p * sum - t + self.epsilon * (p * hit - t * p);
        }
        loss
    }
}

vector_loss!(PolyCrossEntropy);
