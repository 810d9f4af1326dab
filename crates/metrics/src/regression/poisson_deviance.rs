//! The Poisson deviance.

use super::definition::of_values;

of_values! {
    /// The Poisson deviance of rates from counts.
    PoissonDeviance = "poisson_deviance";
    aliases ["mean_poisson_deviance"];
    formula "2 mean (t ln(t / y) + y - t)";
    source "scikit-learn's mean_poisson_deviance";
    settings {}
    targets |_, t| t >= 0.0, "numbers of at least 0";
    undefined "an output is not above 0";
    figure |_, y, t| super::tweedie_deviance::poisson(y, t);
    mean |_, mean| mean;
}
