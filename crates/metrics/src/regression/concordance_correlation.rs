//! The concordance correlation.

use super::definition::of_moments;
use super::moments::CONSTANT;
use crate::Undefined;

of_moments! {
    /// The concordance correlation: Pearson's correlation, less where means or variances differ.
    ConcordanceCorrelation = "concordance_correlation";
    aliases ["concordance_corrcoef", "concordance_corr_coef", "ccc"];
    formula "2 cov(y, t) / (var y + var t + (mean y - mean t)²)";
    source "Lin 1989, with the variances of samples, as torchmetrics";
    settings {}
    |_, moments| {
        let [y, t, _] = moments.squares;
        let [mean_y, mean_t, _] = moments.means;
        let apart = (mean_y - mean_t).powi(2) * (moments.weight - 1.0);
        if y + t + apart == 0.0 || moments.weight <= 1.0 {
            return Err(Undefined(CONSTANT));
        }
        Ok(2.0 * moments.product / (y + t + apart))
    }
}
