//! The mean absolute percentage error.

use chainrule_core::Range;

use super::definition::of_values;

of_values! {
    /// The mean absolute error relative to the target. It is a fraction, unless it is scaled by 100 as in Keras.
    MeanAbsolutePercentageError = "mean_absolute_percentage_error";
    aliases ["mape"];
    formula "mean |y - t| / max(|t|, ε)";
    source "torchmetrics' MeanAbsolutePercentageError";
    settings {
        /// The least number that is divided by.
        eps ("epsilon"): f64 = 1.17e-6, 1.17e-6, Range::POSITIVE;
        /// What the mean is multiplied by: 100 for a percentage.
        scale: f64 = 1.0, 1.0, Range::POSITIVE;
    }
    targets |_, t| !t.is_nan(), "numbers";
    undefined "an output or a target is not a number";
    figure |metric, y, t| (y - t).abs() / t.abs().max(metric.eps);
    mean |metric, mean| metric.scale * mean;
}
