//! The precision-recall curve.

use super::definition::of_scores;
use super::roc_curve::curves;
use super::score_counts::Ranking;
use crate::classes::NO_POSITIVE;

of_scores! {
    /// The precision-recall curve: the precision and the recall for each threshold, as a table that can be drawn.
    PrecisionRecallCurve = "precision_recall_curve";
    aliases ["pr_curve"];
    formula "(tp / p, tp / (tp + fp)) where score ≥ threshold";
    source "scikit-learn's precision_recall_curve, by falling thresholds";
    settings {
        /// Whether the scores of all classes make one curve.
        micro: bool = false, false;
    }
    |metric, counts| curves(counts, metric.micro, ["recall", "precision"], false, points)
}

/// Threshold, recall and precision, from above all scores, where the precision is said to be 1, down.
fn points(ranking: &Ranking) -> Result<Vec<[f64; 3]>, &'static str> {
    let Ranking { thresholds, above, positives, .. } = ranking;
    if *positives == 0.0 {
        return Err(NO_POSITIVE);
    }
    let found = thresholds.iter().zip(above).filter(|(_, [right, wrong])| right + wrong > 0.0);
    let points =
        found.map(|(&threshold, &[right, wrong])| [threshold, right / positives, right / (right + wrong)]);
    Ok(std::iter::once([f64::INFINITY, 0.0, 1.0]).chain(points).collect())
}
