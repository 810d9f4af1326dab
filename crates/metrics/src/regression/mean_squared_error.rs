//! The mean squared error.

use super::definition::of_values;

of_values! {
    /// The mean squared error.
    MeanSquaredError = "mean_squared_error";
    aliases ["mse"];
    formula "mean (y - t)²";
    source "PyTorch's and Keras' convention";
    settings {}
    targets |_, t| !t.is_nan(), "numbers";
    undefined "an output or a target is not a number";
    figure |_, y, t| (y - t) * (y - t);
    mean |_, mean| mean;
}
