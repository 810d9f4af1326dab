//! The root of the mean squared error.

use super::definition::of_values;

of_values! {
    /// The root of the mean squared error.
    RootMeanSquaredError = "root_mean_squared_error";
    aliases ["rmse"];
    formula "√ mean (y - t)²";
    source "Keras' RootMeanSquaredError";
    settings {}
    targets |_, t| !t.is_nan(), "numbers";
    undefined "an output or a target is not a number";
    figure |_, y, t| (y - t) * (y - t);
    mean |_, mean| mean.sqrt();
}
