//! What the transforms of texts share.

use chainrule_data::text::PADDING;

use super::{Feature, Features, TransformError, fitted};
use crate::column::Texts;

/// The columns as texts.
pub(super) fn texts_of(features: &Features) -> Vec<Texts> {
    features.columns().iter().map(Feature::to_texts).collect()
}

/// All texts, column by column; a missing one is empty.
pub(super) fn each_of(columns: &[Texts]) -> impl Iterator<Item = &str> {
    columns.iter().flat_map(|texts| (0..texts.len()).map(|row| texts.get(row).unwrap_or_default()))
}

/// Each column as so many columns of numbers, of which `encode` makes those of a text; a missing text has none.
pub(super) fn padded(
    transform: &'static str,
    features: &Features,
    steps: usize,
    encode: &dyn Fn(&str) -> Vec<u32>,
) -> Result<Features, TransformError> {
    let mut columns = Vec::new();
    for feature in features.columns() {
        let texts = feature.to_texts();
        let encoded: Vec<Vec<u32>> = texts.words().iter().map(|text| encode(text)).collect();
        for step in 0..steps {
            let number = |code: &u32| {
                let numbers = encoded.get(*code as usize);
                f64::from(numbers.and_then(|numbers| numbers.get(step)).copied().unwrap_or(PADDING))
            };
            let mut values = fitted::zeros(transform, feature, "use fewer steps")?;
            values.iter_mut().zip(texts.codes()).for_each(|(value, code)| *value = number(code));
            columns.push(Feature::numbers(format!("{} {}", feature.name(), step + 1), values));
        }
    }
    Ok(Features::new(columns))
}
