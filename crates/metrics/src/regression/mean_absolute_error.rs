//! The mean absolute error.

use super::definition::of_values;

of_values! {
    /// The mean absolute error.
    MeanAbsoluteError = "mean_absolute_error";
    aliases ["mae"];
    formula "mean |y - t|";
    source "PyTorch's and Keras' convention";
    settings {}
    targets |_, t| !t.is_nan(), "numbers";
    undefined "an output or a target is not a number";
    figure |_, y, t| (y - t).abs();
    mean |_, mean| mean;
}
