//! Pearson's correlation.

use super::definition::of_moments;
use super::moments::CONSTANT;
use crate::Undefined;

of_moments! {
    /// Pearson's correlation of outputs and targets, from -1 to 1.
    PearsonCorrelation = "pearson_correlation";
    aliases ["pearson_corrcoef", "pearson", "pearsonr"];
    formula "cov(y, t) / √(var y var t)";
    source "Pearson 1895";
    settings {}
    |_, moments| {
        let [y, t, _] = moments.squares;
        if y == 0.0 || t == 0.0 {
            return Err(Undefined(CONSTANT));
        }
        // Rounding may bring it beyond its range.
        Ok((moments.product / (y.sqrt() * t.sqrt())).clamp(-1.0, 1.0))
    }
}
