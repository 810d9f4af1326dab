//! The ROC curve.

use super::definition::of_scores;
use super::score_counts::{Ranking, ScoreCounts};
use crate::classes::{NO_NEGATIVE, NO_POSITIVE};
use crate::value::Plot;
use crate::{MetricValue, Table, Task};

of_scores! {
    /// The receiver operating characteristic: the true and the false positive rate for each threshold, as a table that can be drawn.
    RocCurve = "roc_curve";
    aliases ["roc"];
    formula "(fp / n, tp / p) where score ≥ threshold";
    source "scikit-learn's roc_curve, without points on a straight line";
    settings {
        /// Whether the scores of all classes make one curve.
        micro: bool = false, false;
    }
    |metric, counts| curves(counts, metric.micro, ["false_positive_rate", "true_positive_rate"], true, points)
}

/// The points of one curve, as threshold, x and y.
type Points = Result<Vec<[f64; 3]>, &'static str>;

/// A table with the curve of each class.
pub(super) fn curves(
    counts: &ScoreCounts,
    micro: bool,
    [x, y]: [&'static str; 2],
    diagonal: bool,
    points: impl Fn(&Ranking) -> Points,
) -> MetricValue {
    let single = micro || counts.task() == Task::Binary;
    let rankings = if single { vec![counts.pooled()] } else { counts.rankings() };
    let class = (!single).then_some("class");
    let mut table = Table::new("", class.into_iter().chain(["threshold", x, y]));
    table.set_plot(Plot { x, y, series: class, diagonal });
    for (class, ranking) in rankings.iter().enumerate() {
        match points(ranking) {
            Ok(points) => {
                let name = (!single).then_some(class as f64);
                points.iter().for_each(|point| table.push(name.into_iter().chain(*point).collect()));
            }
            Err(reason) if single => return MetricValue::Undefined(crate::Undefined(reason)),
            Err(reason) => table.note(format!("class {class} has no curve, since {reason}")),
        }
    }
    table.into()
}

fn points(ranking: &Ranking) -> Points {
    let Ranking { thresholds, above, positives, negatives } = ranking;
    if *positives == 0.0 {
        return Err(NO_POSITIVE);
    }
    if *negatives == 0.0 {
        return Err(NO_NEGATIVE);
    }
    let mut points = vec![[f64::INFINITY, 0.0, 0.0]];
    for (index, (&threshold, &[right, wrong])) in thresholds.iter().zip(above).enumerate() {
        let step = |index: usize| {
            let [right, wrong] = above[index];
            let [before, wrong_before] = if index == 0 { [0.0; 2] } else { above[index - 1] };
            [right - before, wrong - wrong_before]
        };
        // A point between two equal steps is on a straight line; the highest score is kept all the same.
        if index == 0 || index + 1 == above.len() || step(index) != step(index + 1) {
            points.push([threshold, wrong / negatives, right / positives]);
        }
    }
    Ok(points)
}
