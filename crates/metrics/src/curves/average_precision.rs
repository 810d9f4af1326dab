//! The average precision.

use super::area::{average, from_none};
use super::definition::of_scores;
use super::score_counts::Ranking;
use crate::classes::NO_POSITIVE;
use crate::{Average, Undefined};

of_scores! {
    /// The average precision: the mean of the precisions at each threshold, weighted by the recall that it adds.
    AveragePrecision = "average_precision";
    aliases ["average_precision_score", "auprc", "pr_auc", "map"];
    formula "Σ (Rₙ - Rₙ₋₁) Pₙ";
    source "scikit-learn's average_precision_score";
    settings {
        /// What is made of the figures of several classes.
        average: Average = Average::Macro, "macro";
    }
    |metric, counts| average(metric.average, counts, average_precision)
}

fn average_precision(ranking: &Ranking) -> Result<f64, Undefined> {
    if ranking.positives == 0.0 {
        return Err(Undefined(NO_POSITIVE));
    }
    let added = |([before, _], [right, wrong]): ([f64; 2], [f64; 2])| {
        if right > before { (right - before) * right / (right + wrong) } else { 0.0 }
    };
    Ok(from_none(ranking).map(added).sum::<f64>() / ranking.positives)
}
