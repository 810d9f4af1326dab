//! The mean squared logarithmic error.

use super::definition::of_values;

of_values! {
    /// The mean squared error of the logarithms of outputs and targets, each plus 1.
    MeanSquaredLogError = "mean_squared_log_error";
    aliases ["msle", "mean_squared_logarithmic_error"];
    formula "mean (ln(1 + y) - ln(1 + t))²";
    source "PyTorch's and Keras' convention";
    settings {}
    targets |_, t| t > -1.0, "numbers above -1";
    undefined "an output is not above -1";
    figure |_, y, t| (y.ln_1p() - t.ln_1p()).powi(2);
    mean |_, mean| mean;
}
