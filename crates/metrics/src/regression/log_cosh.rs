//! The mean of log cosh.

use super::definition::of_values;

of_values! {
    /// The mean of the logarithm of the hyperbolic cosine of the error.
    LogCosh = "log_cosh";
    aliases ["log_cosh_error", "logcosh"];
    formula "mean ln cosh(y - t)";
    source "Keras' LogCoshError";
    settings {}
    targets |_, t| !t.is_nan(), "numbers";
    undefined "an output or a target is not a number";
    figure |_, y, t| (y - t).abs() + (-2.0 * (y - t).abs()).exp().ln_1p() - std::f64::consts::LN_2;
    mean |_, mean| mean;
}
