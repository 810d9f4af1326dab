//! The log loss.

use super::definition::of_rows;
use super::probabilities::log_sum_exp;
use chainrule_core::Range;

of_rows! {
    /// The log loss: the mean over the samples of minus the logarithm of the probability that was given to what is right.
    LogLoss = "log_loss";
    aliases ["cross_entropy", "categorical_crossentropy", "sparse_categorical_crossentropy", "binary_crossentropy"];
    formula "-Σ t ln p; of yes and no -t ln p - (1 - t) ln(1 - p)";
    source "scikit-learn's log_loss";
    settings {
        /// The least probability, so that what was thought to be impossible has a finite loss; of logits none.
        eps ("epsilon"): f64 = 2.220446049250313e-16, 2.220446049250313e-16, Range::UNIT;
    }
    classes |metric, y, t| {
        if metric.from_logits {
            let all = log_sum_exp(y);
            return y.iter().zip(t).map(|(z, t)| product(*t, all - z)).sum();
        }
        y.iter().zip(t).map(|(p, t)| product(*t, -metric.clip(*p).ln())).sum()
    };
    answer |metric, y, t| {
        if metric.from_logits {
            // ln(1 + exp z) - t z, without overflow.
            return product(t, y.max(0.0) - y) + product(1.0 - t, y.max(0.0)) + (-y.abs()).exp().ln_1p();
        }
        product(t, -metric.clip(y).ln()) + product(1.0 - t, -metric.clip(1.0 - y).ln())
    };
}

impl LogLoss {
    fn clip(&self, p: f64) -> f64 {
        if p.is_nan() { p } else { p.clamp(self.eps, 1.0) }
    }
}

/// The product, which is 0 if the target is, also of infinity; but NaN remains.
fn product(t: f64, loss: f64) -> f64 {
    if t == 0.0 && !loss.is_nan() { 0.0 } else { t * loss }
}
