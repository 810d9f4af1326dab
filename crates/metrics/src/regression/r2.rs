//! The coefficient of determination.

use super::definition::of_moments;
use super::moments::EQUAL;
use crate::Undefined;

of_moments! {
    /// The coefficient of determination R²: how much smaller the squared errors are than those of the mean of the targets, at most 1.
    R2 = "r2";
    aliases ["r2_score", "r_squared"];
    formula "1 - Σ (t - y)² / Σ (t - mean t)²";
    source "Wright 1921";
    settings {
        /// The number of variables that the outputs were made from, for the adjusted value; 0 for the usual one.
        adjusted: usize = 0, 0, chainrule_core::Range::NOT_NEGATIVE;
    }
    |metric, moments| {
        let [_, t, _] = moments.squares;
        if t == 0.0 {
            return Err(Undefined(EQUAL));
        }
        let unexplained = moments.squared_error() / t;
        let left = moments.weight - 1.0 - metric.adjusted as f64;
        if left <= 0.0 {
            return Err(Undefined("there are not more samples than variables"));
        }
        Ok(1.0 - unexplained * (moments.weight - 1.0) / left)
    }
}
