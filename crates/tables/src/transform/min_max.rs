use std::sync::Arc;

use chainrule_core::{Described, SettingError, describe, described};

use super::{Features, Transform, TransformError, fitted};

const NAME: &str = "min_max";

/// Maps the range of the training data to a range of choice.
///
/// ```text
/// y = low + (x - minimum) (high - low) / (maximum - minimum)
/// ```
///
/// As scikit-learn's `MinMaxScaler`: missing values stay missing, and what is outside of the range of the training data is outside
/// of the other, unless it is clipped.
#[derive(Clone, Debug)]
pub struct MinMax {
    low: f64,
    high: f64,
    clip: bool,
    minimum: Option<Vec<f64>>,
    maximum: Option<Vec<f64>>,
}

describe! {
    /// Min-max: maps the range of the training data to one of choice.
    MinMax = "min_max";
    aliases ["min_max_scaler", "minmax_scaler", "rescale"];
    formula "y = low + (x - minimum) (high - low) / (maximum - minimum)";
    source "scikit-learn's MinMaxScaler";
    settings {
        /// The lower end of the range.
        low: 0.0, chainrule_core::Range::FINITE;
        /// The upper end of the range.
        high: 1.0, chainrule_core::Range::FINITE;
        /// Whether what is outside of the range becomes its end.
        clip: false;
        /// The minimum of each column, learnt.
        minimum ("data_min"): none;
        /// The maximum of each column, learnt.
        maximum ("data_max"): none;
    }
}

impl Default for MinMax {
    /// From 0 to 1.
    fn default() -> Self {
        Self { low: 0.0, high: 1.0, clip: false, minimum: None, maximum: None }
    }
}

impl MinMax {
    /// To the range from `low` to `high`.
    pub fn to(low: f64, high: f64) -> Self {
        Self { low, high, ..Self::default() }
    }

    /// What is outside of the range becomes its end.
    #[must_use]
    pub fn clip(self) -> Self {
        Self { clip: true, ..self }
    }
}

impl Transform for MinMax {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        if self.low >= self.high {
            let conflict = "low is not below high: exchange them";
            return Err(SettingError::Conflict { owner: "MinMax", conflict }.into());
        }
        let (mut minimum, mut maximum) = (Vec::new(), Vec::new());
        for (feature, values) in features.columns().iter().zip(fitted::numbers(NAME, features)?) {
            let values = fitted::present(NAME, feature, values)?;
            minimum.push(values.iter().copied().fold(f64::INFINITY, f64::min));
            maximum.push(values.iter().copied().fold(f64::NEG_INFINITY, f64::max));
        }
        Ok(Arc::new(Self { minimum: Some(minimum), maximum: Some(maximum), ..*self }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let minimum = fitted::learnt(NAME, self.minimum.as_ref(), features)?;
        let maximum = fitted::learnt(NAME, self.maximum.as_ref(), features)?;
        let (low, high) = (self.low, self.high);
        fitted::map_numbers(NAME, features, |column, x| {
            let scale = (high - low) / fitted::or_one(maximum[column] - minimum[column]);
            let y = x * scale + (low - minimum[column] * scale);
            // A missing value stays one.
            if self.clip && !y.is_nan() { y.max(low).min(high) } else { y }
        })
    }
}
