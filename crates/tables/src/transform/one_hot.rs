use std::sync::Arc;

use chainrule_core::{describe, described, setting_words};

use super::{Feature, Features, Transform, TransformError, UnknownCategory, fitted};

const NAME: &str = "one_hot";

/// Which category has no column of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropCategory {
    /// Each has one.
    None,
    /// The first has none.
    First,
    /// The first of two has none.
    IfBinary,
}

setting_words! { DropCategory { None = "no_category", First = "first", IfBinary = "if_binary" } }

/// A column for each category that is 1 where a row has it, and else 0.
///
/// As scikit-learn's `OneHotEncoder`: categories are sorted, a missing value is one of them if the training data has it, and a row of
/// an unknown category, unless that is an error, is zeros.
#[derive(Clone, Debug)]
pub struct OneHot {
    unknown: UnknownCategory,
    drop: DropCategory,
    categories: Option<Vec<Vec<Option<String>>>>,
}

describe! {
    /// One-hot: a column for each category, 1 where a row has it and else 0.
    OneHot = "one_hot";
    aliases ["one_hot_encoder", "dummies"];
    formula "y_c = 1 if x = c else 0";
    source "scikit-learn's OneHotEncoder";
    settings {
        /// What an unknown category is: ignore (zeros) or error.
        unknown ("handle_unknown"): ignore;
        /// Which category has no column: no_category, first or if_binary.
        drop: no_category;
        /// The categories of each column, learnt; none is a missing value.
        categories: none;
    }
}

impl Default for OneHot {
    /// Unknown categories are zeros, and each known one has a column.
    fn default() -> Self {
        Self { unknown: UnknownCategory::Ignore, drop: DropCategory::None, categories: None }
    }
}

impl OneHot {
    /// What is done with unknown categories.
    #[must_use]
    pub fn unknown(self, unknown: UnknownCategory) -> Self {
        Self { unknown, ..self }
    }

    /// Which category has no column.
    #[must_use]
    pub fn drop(self, drop: DropCategory) -> Self {
        Self { drop, ..self }
    }

    /// How many of so many categories have no column.
    fn dropped(&self, categories: usize) -> usize {
        match self.drop {
            DropCategory::None => 0,
            DropCategory::First => 1,
            DropCategory::IfBinary => usize::from(categories == 2),
        }
    }
}

impl Transform for OneHot {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        let categories =
            features.columns().iter().map(|feature| fitted::categories(&feature.to_texts())).collect();
        Ok(Arc::new(Self { categories: Some(categories), ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let categories = fitted::learnt(NAME, self.categories.as_ref(), features)?;
        let remedy = "it has too many categories: use `hashing`, or leave it out";
        let mut columns = Vec::new();
        for (feature, known) in features.columns().iter().zip(categories) {
            let first = columns.len();
            let dropped = self.dropped(known.len());
            for category in known.iter().skip(dropped) {
                let name = format!("{}_{}", feature.name(), category.as_deref().unwrap_or("missing"));
                columns.push((name, fitted::zeros(NAME, feature, remedy)?));
            }
            for (row, index) in fitted::indices(NAME, feature, known, self.unknown)?.into_iter().enumerate() {
                if let Some(column) = index.and_then(|index| index.checked_sub(dropped)) {
                    columns[first + column].1[row] = 1.0;
                }
            }
        }
        Ok(Features::new(columns.into_iter().map(|(name, values)| Feature::numbers(name, values)).collect()))
    }
}
