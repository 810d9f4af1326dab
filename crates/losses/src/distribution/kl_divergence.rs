//! The Kullback-Leibler divergence.

use chainrule_core::{describe, described};
use chainrule_tensor::Outputs;

use crate::total::weighted;
use crate::{Criterion, Domain, Row, VectorLoss, vector_loss};

/// The minimum of a probability, as in Keras.
const MIN_PROBABILITY: f64 = 1e-7;

/// The Kullback-Leibler divergence of the outputs from the target, `L = Σⱼ tⱼ (ln tⱼ - zⱼ)`, where the outputs z are logarithms of
/// probabilities, with the gradient `-t`. A target of 0 costs nothing. Targets are from 0 to 1.
///
/// It is the sum over the columns, as in Keras and optax and in PyTorch's `batchmean`, which PyTorch recommends; the mean over the
/// columns, with [`mean`](Self::mean), is PyTorch's default.
///
/// With [`log_target`](Self::log_target) the targets are logarithms as well, at most 0. With
/// [`from_probabilities`](Self::from_probabilities) the outputs are probabilities y, and both they and the targets are at least
/// 1e-7 and at most 1, as in Keras, with the gradient `-t / y`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct KlDivergence {
    /// Whether the targets are logarithms of probabilities.
    pub log_target: bool,
    /// Whether the outputs are probabilities instead of their logarithms.
    pub from_probabilities: bool,
    /// Whether the loss of a row is the mean over the columns instead of the sum.
    pub mean: bool,
}

describe! {
    /// The Kullback-Leibler divergence of log-probabilities from their targets.
    KlDivergence = "kl_divergence";
    aliases ["kl_div", "kl_div_loss", "kld"];
    formula "L = Σ t (ln t - z)";
    source "Kullback and Leibler 1951";
    settings {
        /// Whether the targets are logarithms of probabilities.
        log_target: false;
        /// Whether the outputs are probabilities instead of their logarithms.
        from_probabilities: false;
        /// Whether the loss of a row is the mean over the columns instead of the sum.
        mean: false;
    }
    presets {
        keras { from_probabilities = true }
        pytorch { mean = true }
    }
}

impl Criterion for KlDivergence {
    fn outputs(&self) -> Outputs {
        if self.from_probabilities { Outputs::Probabilities } else { Outputs::Values }
    }

    fn domain(&self) -> Domain {
        if self.log_target {
            Domain::between("KlDivergence", f64::NEG_INFINITY, 0.0, "logarithms of numbers from 0 to 1")
        } else {
            Domain::probabilities("KlDivergence")
        }
    }

    described!(validate);
}

fn clip(p: f64) -> f64 {
    let p = if p < MIN_PROBABILITY { MIN_PROBABILITY } else { p };
    if p > 1.0 { 1.0 } else { p }
}

impl VectorLoss for KlDivergence {
    fn row(&self, Row { y, t, class, slopes }: Row<'_>) -> f64 {
        // Of a class, the values are probabilities.
        let log_target = self.log_target && class.is_none();
        let divisor = if self.mean { t.len() as f64 } else { 1.0 };
        let mut total = 0.0;
        for ((slope, &y), &t) in slopes.iter_mut().zip(y).zip(t) {
            let (t, ln_t) = if log_target { (t.exp(), t) } else { (t, t.ln()) };
            if self.from_probabilities {
                let t = clip(t);
                total += t * (t.ln() - clip(y).ln());
                *slope = -t / clip(y) / divisor;
            } else {
                total += weighted(t, ln_t) - weighted(t, y);
                *slope = -t / divisor;
            }
        }
        total / divisor
    }
}

vector_loss!(KlDivergence);
