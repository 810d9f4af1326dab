//! The F-score.

use chainrule_core::Range;

use super::accuracy::ratio;
use super::definition::averaged;
use crate::{OneClass, Undefined};

averaged! {
    /// The F1-score: the harmonic mean of precision and recall.
    F1 = "f1";
    aliases ["f1_score", "f_score"];
    formula "2 tp / (2 tp + fn + fp)";
    source "van Rijsbergen 1979";
    settings {}
    |_, class| f_beta(1.0, class)
}

averaged! {
    /// The F-beta-score: the harmonic mean of precision and recall, in which recall has β times the importance.
    FBeta = "f_beta";
    aliases ["fbeta_score"];
    formula "(1 + β²) tp / ((1 + β²) tp + β² fn + fp)";
    source "van Rijsbergen 1979";
    settings {
        /// How much more important recall is, β.
        beta: f64 = 1.0, 1.0, Range::POSITIVE;
    }
    |metric, class| f_beta(metric.beta, class)
}

/// The F-score of one class.
fn f_beta(beta: f64, class: OneClass) -> Result<f64, Undefined> {
    let OneClass { true_positives, false_positives, false_negatives, .. } = class;
    let square = beta * beta;
    let right = (1.0 + square) * true_positives;
    let reason = "no sample is of the class or was taken for it";
    ratio(right, right + square * false_negatives + false_positives, reason)
}
