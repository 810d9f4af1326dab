//! The area under the ROC curve.

use chainrule_core::Range;

use super::area::{average, from_none};
use super::definition::of_scores;
use super::score_counts::Ranking;
use crate::classes::{NO_NEGATIVE, NO_POSITIVE};
use crate::{Average, Undefined};

of_scores! {
    /// The area under the ROC curve: the probability that a sample of a class has a higher score than one that is not of it.
    Auroc = "auroc";
    aliases ["auc", "roc_auc", "roc_auc_score", "area_under_roc"];
    formula "(pairs in order + ties / 2) / (p n)";
    source "Hanley and McNeil 1982, for a part of the false positive rates McClish 1989";
    settings {
        /// What is made of the areas of several classes.
        average: Average = Average::Macro, "macro";
        /// The largest false positive rate of the area, which is then scaled so that chance is 0.5; none for 1.
        max_fpr: Option<f64> = None, none, Range::UNIT.without_low();
    }
    |metric, counts| average(metric.average, counts, |ranking| area(ranking, metric.max_fpr))
}

fn area(ranking: &Ranking, max_fpr: Option<f64>) -> Result<f64, Undefined> {
    let &Ranking { positives, negatives, .. } = ranking;
    if positives == 0.0 {
        return Err(Undefined(NO_POSITIVE));
    }
    if negatives == 0.0 {
        return Err(Undefined(NO_NEGATIVE));
    }
    let end = max_fpr.map_or(negatives, |part| part * negatives);
    let mut area = 0.0;
    for ([right, wrong], [next_right, next_wrong]) in from_none(ranking) {
        if wrong >= end {
            break;
        }
        let slope = if next_wrong > wrong { (next_right - right) / (next_wrong - wrong) } else { 0.0 };
        let last = next_wrong.min(end);
        let height = if next_wrong > end { right + slope * (end - wrong) } else { next_right };
        area += (last - wrong) * (right + height) / 2.0;
    }
    let area = area / (positives * negatives);
    let Some(part) = max_fpr.filter(|&part| part < 1.0) else { return Ok(area) };
    let chance = part * part / 2.0;
    Ok(0.5 * (1.0 + (area - chance) / (part - chance)))
}
