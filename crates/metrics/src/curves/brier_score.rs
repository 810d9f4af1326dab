//! The Brier score.

use super::definition::of_rows;
use super::probabilities::{sigmoid, softmax};

of_rows! {
    /// The Brier score: the mean over the samples of the squared distance of the probabilities from what is right.
    BrierScore = "brier_score";
    aliases ["brier", "brier_score_loss"];
    formula "Σ (p - t)²; of yes and no (p - t)²";
    source "Brier 1950";
    settings {}
    classes |metric, y, t| {
        if metric.from_logits {
            softmax(y);
        }
        y.iter().zip(t).map(|(p, t)| (p - t) * (p - t)).sum()
    };
    answer |metric, y, t| {
        let p = if metric.from_logits { sigmoid(y) } else { y };
        (p - t) * (p - t)
    };
}
