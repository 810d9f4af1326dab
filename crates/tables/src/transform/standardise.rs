use std::sync::Arc;

use chainrule_core::{describe, described};

use super::{Features, Transform, TransformError, fitted};

const NAME: &str = "standardise";

/// Subtracts the mean and divides by the standard deviation.
///
/// ```text
/// y = (x - mean) / deviation        deviation² = 1/n Σ (x - mean)²
/// ```
///
/// As scikit-learn's `StandardScaler`: missing values are left out of both and stay missing, and a column whose values are equal,
/// but for rounding, is only centred.
#[derive(Clone, Debug)]
pub struct Standardise {
    centre: bool,
    scale: bool,
    mean: Option<Vec<f64>>,
    deviation: Option<Vec<f64>>,
}

describe! {
    /// Standardise: subtracts the mean and divides by the standard deviation.
    Standardise = "standardise";
    aliases ["standardize", "standard_scaler", "z_score"];
    formula "y = (x - mean) / deviation";
    source "scikit-learn's StandardScaler";
    settings {
        /// Whether the mean is subtracted.
        centre ("with_mean", "center"): true;
        /// Whether to divide by the standard deviation.
        scale ("with_std"): true;
        /// The mean of each column, learnt.
        mean: none;
        /// The standard deviation of each column, learnt.
        deviation: none;
    }
}

impl Default for Standardise {
    /// Both.
    fn default() -> Self {
        Self { centre: true, scale: true, mean: None, deviation: None }
    }
}

impl Standardise {
    /// Subtracts no mean.
    #[must_use]
    pub fn without_centre(self) -> Self {
        Self { centre: false, ..self }
    }

    /// Divides by nothing.
    #[must_use]
    pub fn without_scale(self) -> Self {
        Self { scale: false, ..self }
    }
}

impl Transform for Standardise {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        let (mut means, mut deviations) = (Vec::new(), Vec::new());
        for (feature, values) in features.columns().iter().zip(fitted::numbers(NAME, features)?) {
            let values = fitted::present(NAME, feature, values)?;
            let (mean, deviation) = moments(&values);
            means.push(if self.centre { mean } else { 0.0 });
            deviations.push(if self.scale { deviation } else { 1.0 });
        }
        Ok(Arc::new(Self { mean: Some(means), deviation: Some(deviations), ..*self }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let mean = fitted::learnt(NAME, self.mean.as_ref(), features)?;
        let deviation = fitted::learnt(NAME, self.deviation.as_ref(), features)?;
        fitted::map_numbers(NAME, features, |column, x| (x - mean[column]) / deviation[column])
    }
}

/// The mean, and the standard deviation or 1 if the values are equal but for rounding.
fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let rough = values.iter().sum::<f64>() / n;
    // The mean of the differences is 0 but for the rounding of the first sum, which it corrects.
    let mean = rough + values.iter().map(|x| x - rough).sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
    let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
    (mean, if variance <= rounding { 1.0 } else { variance.sqrt() })
}
