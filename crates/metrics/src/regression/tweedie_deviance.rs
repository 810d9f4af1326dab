//! The Tweedie deviance.

use chainrule_core::Range;

use super::definition::of_values;

of_values! {
    /// The Tweedie deviance: twice the distance of the log-likelihoods, of a normal distribution for the power 0, Poisson for 1, gamma for 2.
    TweedieDeviance = "tweedie_deviance";
    aliases ["tweedie_deviance_score", "mean_tweedie_deviance"];
    formula "2 mean (t^(2-p) / ((1-p)(2-p)) - t y^(1-p) / (1-p) + y^(2-p) / (2-p))";
    source "Jørgensen 1987";
    settings {
        /// The power p of the mean that the variance is, not between 0 and 1.
        power: f64 = 0.0, 0.0, Range::FINITE;
    }
    targets |metric, t| metric.power <= 0.0 || t > 0.0 || (metric.power < 2.0 && t == 0.0), "numbers of at least 0, or above 0 for a power of at least 2";
    undefined "an output is not above 0";
    figure |metric, y, t| deviance(metric.power, y, t);
    mean |_, mean| mean;
}

/// The deviance of one sample; NaN where it has none.
fn deviance(p: f64, y: f64, t: f64) -> f64 {
    if p == 0.0 {
        return (y - t) * (y - t);
    }
    if y <= 0.0 || (p > 0.0 && p < 1.0) {
        return f64::NAN;
    }
    if p == 1.0 {
        return poisson(y, t);
    }
    if p == 2.0 {
        return 2.0 * ((y / t).ln() + t / y - 1.0);
    }
    let own = t.max(0.0).powf(2.0 - p) / ((1.0 - p) * (2.0 - p));
    2.0 * (own - t * y.powf(1.0 - p) / (1.0 - p) + y.powf(2.0 - p) / (2.0 - p))
}

/// That of the Poisson distribution.
pub(super) fn poisson(y: f64, t: f64) -> f64 {
    if y <= 0.0 {
        return f64::NAN;
    }
    let own = if t == 0.0 { 0.0 } else { t * (t / y).ln() };
    2.0 * (own + y - t)
}
