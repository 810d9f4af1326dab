use std::sync::Arc;

use chainrule_core::{describe, described};

use super::{Feature, Features, Transform, TransformError, UnknownCategory, fitted};

const NAME: &str = "ordinal";

/// The index of the category, for an embedding or categories with an order.
///
/// As scikit-learn's `OrdinalEncoder`: categories are sorted, unless they are given in an order, and missing values stay missing.
#[derive(Clone, Debug)]
pub struct Ordinal {
    unknown: UnknownCategory,
    unknown_value: f64,
    categories: Option<Vec<Vec<Option<String>>>>,
}

describe! {
    /// Ordinal: the index of the category.
    Ordinal = "ordinal";
    aliases ["ordinal_encoder", "label_encoder", "string_index"];
    formula "y = index of x";
    source "scikit-learn's OrdinalEncoder";
    settings {
        /// What an unknown category is: error, or ignore (the unknown value).
        unknown ("handle_unknown"): error;
        /// The value of an unknown category.
        unknown_value: -1.0;
        /// The categories of each column in their order: given, or learnt.
        categories: none;
    }
}

impl Default for Ordinal {
    /// Unknown categories are an error.
    fn default() -> Self {
        Self { unknown: UnknownCategory::Error, unknown_value: -1.0, categories: None }
    }
}

impl Ordinal {
    /// One column with these categories in this order.
    pub fn with_order(categories: &[&str]) -> Self {
        let order = categories.iter().map(|&category| Some(category.to_owned())).collect();
        Self { categories: Some(vec![order]), ..Self::default() }
    }

    /// Unknown categories have this value.
    #[must_use]
    pub fn unknown_value(self, value: f64) -> Self {
        Self { unknown: UnknownCategory::Ignore, unknown_value: value, ..self }
    }
}

impl Transform for Ordinal {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        if self.categories.is_some() {
            self.apply(features)?;
            return Ok(Arc::new(self.clone()));
        }
        let known = |feature: &Feature| {
            let mut categories = fitted::categories(&feature.to_texts());
            categories.retain(Option::is_some);
            categories
        };
        let categories = features.columns().iter().map(known).collect();
        Ok(Arc::new(Self { categories: Some(categories), ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let categories = fitted::learnt(NAME, self.categories.as_ref(), features)?;
        let mut columns = Vec::with_capacity(categories.len());
        for (feature, known) in features.columns().iter().zip(categories) {
            // A missing value is the last category, and becomes none.
            let with_missing: Vec<Option<String>> = known.iter().cloned().chain([None]).collect();
            let indices = fitted::indices(NAME, feature, &with_missing, self.unknown)?;
            let value = |index: Option<usize>| match index {
                None => self.unknown_value,
                Some(index) if index == known.len() => f64::NAN,
                Some(index) => index as f64,
            };
            columns.push(Feature::numbers(feature.name(), indices.into_iter().map(value).collect()));
        }
        Ok(Features::new(columns))
    }
}
