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
    figure |_, y, t| ln_cosh((y - t).abs());
    mean |_, mean| mean;
}

fn ln_cosh(error: f64) -> f64 {
    if error < 1e-3 {
        // e²/2 (1 - e²/6 + ...): the difference below would have few digits left.
        return 0.5 * error * error * (1.0 - error * error / 6.0);
    }
    error + ((-2.0 * error).exp().ln_1p() - std::f64::consts::LN_2)
}
