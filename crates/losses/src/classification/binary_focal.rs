//! The focal loss of independent binary outputs.

use chainrule_core::{Range, describe, described};
use chainrule_tensor::Outputs;

use super::focal::power;
use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The minimum distance of a probability from 0 and from 1, as in Keras.
const MARGIN: f64 = 1e-7;

/// The focal loss of independent binary outputs, `L = -1/n Σⱼ (1 - qⱼ)ᵞ (tⱼ ln pⱼ + (1 - tⱼ) ln(1 - pⱼ))` over the n columns, where
/// p is the sigmoid of the outputs (logits), or the outputs themselves, and `q = t p + (1 - t)(1 - p)` the probability of the target:
/// columns that are right already count less (Lin et al. 2017). With γ = 0 it is
/// [`BinaryCrossEntropy`](struct@crate::BinaryCrossEntropy). Targets are from 0 to 1.
///
/// With a balance α a term is multiplied by `α t + (1 - α)(1 - t)`. From logits nothing overflows, as in optax; probabilities are
/// clipped to 1e-7 and 1 - 1e-7 in the logarithms, as in Keras.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryFocal {
    /// How much less columns count that are right, γ; at least 0.
    pub gamma: f64,
    /// The balance of yes against no, α, from 0 to 1; none by default.
    pub alpha: Option<f64>,
    /// The part of every target that is moved to one half.
    pub label_smoothing: f64,
    /// Whether the outputs are probabilities instead of logits.
    pub from_probabilities: bool,
}

impl Default for BinaryFocal {
    fn default() -> Self {
        Self { gamma: 2.0, alpha: None, label_smoothing: 0.0, from_probabilities: false }
    }
}

describe! {
    /// The binary cross-entropy in which columns count less that are right already.
    BinaryFocal = "binary_focal";
    aliases [
        "binary_focal_crossentropy", "binary_focal_cross_entropy", "sigmoid_focal", "sigmoid_focal_loss",
    ];
    formula "L = -1/n Σ (1 - q)^γ (t ln p + (1 - t) ln(1 - p)); q = t p + (1 - t)(1 - p)";
    source "Lin et al. 2017";
    settings {
        /// How much less columns count that are right, γ.
        gamma: 2.0, Range::NOT_NEGATIVE;
        /// The balance of yes against no, α.
        alpha: none, Range::UNIT;
        /// The part of every target that is moved to one half.
        label_smoothing: 0.0, Range::UNIT;
        /// Whether the outputs are probabilities instead of logits.
        from_probabilities: false;
    }
    presets { keras { from_probabilities = true } }
}

impl Criterion for BinaryFocal {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Logits }
    }

    fn domain(&self) -> Domain {
        Domain::probabilities("BinaryFocal").yes_or_no()
    }

    described!(validate);
}

/// `ln(1 + eˣ)`.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl BinaryFocal {
    /// A term and its derivative with respect to the output.
    fn term(&self, y: f64, t: f64) -> (f64, f64) {
        let no = 1.0 - t;
        if self.from_probabilities {
            let p = y.clamp(MARGIN, 1.0 - MARGIN);
            let entropy = -(t * p.ln() + no * (1.0 - p).ln());
            let (factor, slope) = power(t * (1.0 - y) + no * y, self.gamma);
            return (factor * entropy, slope * (1.0 - 2.0 * t) * entropy + factor * (no / (1.0 - p) - t / p));
        }
        let p = 1.0 / (1.0 + (-y).exp());
        let not_p = 1.0 / (1.0 + y.exp());
        let entropy = weighted(t, softplus(-y)) + weighted(no, softplus(y));
        let (factor, slope) = power(t * not_p + no * p, self.gamma);
        let of_factor = weighted(slope * (1.0 - 2.0 * t) * p * not_p, entropy);
        (weighted(factor, entropy), of_factor + factor * (no * p - t * not_p))
    }
}

impl VectorLoss for BinaryFocal {
    fn row(&self, Row { y, t, slopes, .. }: Row<'_>) -> f64 {
        let n = y.len() as f64;
        let mut total = 0.0;
        for ((&y, &t), slope) in y.iter().zip(t).zip(slopes) {
            let t = (1.0 - self.label_smoothing) * t + 0.5 * self.label_smoothing;
            let balance = self.alpha.map_or(1.0, |alpha| alpha * t + (1.0 - alpha) * (1.0 - t));
            // The sigmoid of NaN is NaN.
            let (value, derivative) = if y.is_nan() { (y, y) } else { self.term(y, t) };
            total += weighted(balance, value);
            *slope = balance * derivative / n;
        }
        total / n
    }
}

vector_loss!(BinaryFocal);
