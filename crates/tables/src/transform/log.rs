use std::sync::Arc;

use chainrule_core::{Described, Range, describe, described};

use super::{Features, Transform, TransformError, fitted};

const NAME: &str = "log";

/// The natural logarithm, for numbers of several orders of magnitude.
///
/// ```text
/// y = ln(x + offset)
/// ```
///
/// With the offset 1, the default, 0 stays 0 and small numbers keep their digits, as in NumPy's `log1p`.
#[derive(Clone, Copy, Debug)]
pub struct Log {
    offset: f64,
}

describe! {
    /// Log: the natural logarithm, for numbers of several orders of magnitude.
    Log = "log";
    aliases ["log1p", "logarithm"];
    formula "y = ln(x + offset)";
    source "NumPy's log1p";
    settings {
        /// What is added before, so that 0 has a logarithm.
        offset: 1.0, Range::NOT_NEGATIVE;
    }
}

impl Default for Log {
    /// Of 1 more.
    fn default() -> Self {
        Self { offset: 1.0 }
    }
}

impl Log {
    /// Of as much more.
    pub fn offset(offset: f64) -> Self {
        Self { offset }
    }
}

impl Transform for Log {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        self.check_ranges()?;
        self.apply(features)?;
        Ok(Arc::new(*self))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let offset = self.offset;
        for (feature, values) in features.columns().iter().zip(fitted::numbers(NAME, features)?) {
            if let Some(row) = values.iter().position(|x| x + offset <= 0.0) {
                return Err(TransformError::Value {
                    transform: NAME,
                    column: feature.name().to_owned(),
                    row,
                    value: values[row].to_string(),
                    remedy: "use a larger offset, or another transform for numbers that may be negative",
                });
            }
        }
        fitted::map_numbers(NAME, features, |_, x| if offset == 1.0 { x.ln_1p() } else { (x + offset).ln() })
    }
}
