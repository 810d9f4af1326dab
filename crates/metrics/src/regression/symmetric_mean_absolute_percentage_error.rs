//! The symmetric mean absolute percentage error.

use chainrule_core::Range;

use super::definition::of_values;

of_values! {
    /// The mean absolute error relative to the mean of output and target, from 0 to 2.
    SymmetricMeanAbsolutePercentageError = "symmetric_mean_absolute_percentage_error";
    aliases ["smape"];
    formula "mean 2 |y - t| / max(|t| + |y|, ε)";
    source "torchmetrics' SymmetricMeanAbsolutePercentageError";
    settings {
        /// The least number that is divided by.
        eps ("epsilon"): f64 = 1.17e-6, 1.17e-6, Range::POSITIVE;
        /// What the mean is multiplied by: 100 for a percentage.
        scale: f64 = 1.0, 1.0, Range::POSITIVE;
    }
    targets |_, t| !t.is_nan(), "numbers";
    undefined "an output or a target is not a number";
    figure |metric, y, t| 2.0 * (y - t).abs() / (t.abs() + y.abs()).max(metric.eps);
    mean |metric, mean| metric.scale * mean;
}
