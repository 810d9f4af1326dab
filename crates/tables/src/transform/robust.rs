use std::sync::Arc;

use chainrule_core::{Described, Range, SettingError, describe, described};

use super::{Features, Transform, TransformError, fitted};

const NAME: &str = "robust";

/// Subtracts the median and divides by the range between two quantiles, which outliers hardly move.
///
/// ```text
/// y = (x - median) / (q(high) - q(low))
/// ```
///
/// As scikit-learn's `RobustScaler`: missing values are left out and stay missing.
#[derive(Clone, Debug)]
pub struct Robust {
    low: f64,
    high: f64,
    median: Option<Vec<f64>>,
    width: Option<Vec<f64>>,
}

describe! {
    /// Robust: subtracts the median and divides by the range between two quantiles.
    Robust = "robust";
    aliases ["robust_scaler"];
    formula "y = (x - median) / (q(high) - q(low))";
    source "scikit-learn's RobustScaler";
    settings {
        /// The part of the values below the lower quantile.
        low: 0.25, Range::UNIT;
        /// The part of the values below the upper quantile.
        high: 0.75, Range::UNIT;
        /// The median of each column, learnt.
        median ("center"): none;
        /// The range between the quantiles of each column, learnt.
        width ("scale"): none;
    }
}

impl Default for Robust {
    /// Between the quarters.
    fn default() -> Self {
        Self { low: 0.25, high: 0.75, median: None, width: None }
    }
}

impl Robust {
    /// Between the quantiles of these parts, such as 0.1 and 0.9.
    pub fn between(low: f64, high: f64) -> Self {
        Self { low, high, ..Self::default() }
    }
}

impl Transform for Robust {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        if self.low >= self.high {
            let conflict = "low is not below high: exchange them";
            return Err(SettingError::Conflict { owner: "Robust", conflict }.into());
        }
        let (mut median, mut width) = (Vec::new(), Vec::new());
        for (feature, values) in features.columns().iter().zip(fitted::numbers(NAME, features)?) {
            let mut values = fitted::present(NAME, feature, values)?;
            values.sort_by(f64::total_cmp);
            median.push(fitted::quantile(&values, 0.5));
            width.push(fitted::or_one(
                fitted::quantile(&values, self.high) - fitted::quantile(&values, self.low),
            ));
        }
        Ok(Arc::new(Self { median: Some(median), width: Some(width), ..*self }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let median = fitted::learnt(NAME, self.median.as_ref(), features)?;
        let width = fitted::learnt(NAME, self.width.as_ref(), features)?;
        fitted::map_numbers(NAME, features, |column, x| (x - median[column]) / width[column])
    }
}
