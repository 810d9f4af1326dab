//! The explained variance.

use super::definition::of_moments;
use super::moments::EQUAL;
use crate::Undefined;

of_moments! {
    /// The explained variance: how much less the errors vary than the targets, at most 1.
    ExplainedVariance = "explained_variance";
    aliases ["explained_variance_score"];
    formula "1 - var(t - y) / var t";
    source "scikit-learn's explained_variance_score";
    settings {}
    |_, moments| {
        let [_, t, d] = moments.squares;
        if t == 0.0 { Err(Undefined(EQUAL)) } else { Ok(1.0 - d / t) }
    }
}
