//! What the transforms of numbers and of categories share.

use super::{Feature, Features, TransformError, UnknownCategory};
use crate::column::Texts;

/// The values of each column, which have to be numbers.
pub(super) fn numbers<'a>(
    transform: &'static str,
    features: &'a Features,
) -> Result<Vec<&'a [f64]>, TransformError> {
    let values = |column: &'a Feature| {
        let texts = || TransformError::Texts { transform, column: column.name().to_owned() };
        column.as_numbers().ok_or_else(texts)
    };
    features.columns().iter().map(values).collect()
}

/// The values of a column that are not missing, of which there has to be one.
pub(super) fn present(
    transform: &'static str,
    column: &Feature,
    values: &[f64],
) -> Result<Vec<f64>, TransformError> {
    let present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    if let Some(row) = values.iter().position(|value| value.is_infinite()) {
        return Err(TransformError::Value {
            transform,
            column: column.name().to_owned(),
            row,
            value: values[row].to_string(),
            remedy: "correct it, or leave the row out",
        });
    }
    if present.is_empty() {
        return Err(TransformError::NoValues { transform, column: column.name().to_owned() });
    }
    Ok(present)
}

/// What was learnt, one for each column.
pub(super) fn learnt<'a, V>(
    transform: &'static str,
    learnt: Option<&'a Vec<V>>,
    features: &Features,
) -> Result<&'a [V], TransformError> {
    let learnt = learnt.ok_or(TransformError::NotFitted { transform })?;
    let (expected, found) = (learnt.len(), features.columns().len());
    if expected == found { Ok(learnt) } else { Err(TransformError::Columns { transform, expected, found }) }
}

/// Each column with each of its numbers replaced.
pub(super) fn map_numbers(
    transform: &'static str,
    features: &Features,
    map: impl Fn(usize, f64) -> f64,
) -> Result<Features, TransformError> {
    let values = numbers(transform, features)?;
    let columns = features.columns().iter().zip(values).enumerate().map(|(column, (feature, values))| {
        Feature::numbers(feature.name(), values.iter().map(|&value| map(column, value)).collect())
    });
    Ok(Features::new(columns.collect()))
}

/// 1 for a width of 0, which divides nothing.
pub(super) fn or_one(width: f64) -> f64 {
    if width < 10.0 * f64::EPSILON { 1.0 } else { width }
}

/// The value below which this part of the sorted values lies, between two of them on the line through them.
pub(super) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let position = part * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let weight = position - below as f64;
    let difference = sorted[above] - sorted[below];
    // From the nearer end, so that both ends are met.
    if weight >= 0.5 {
        sorted[above] - difference * (1.0 - weight)
    } else {
        sorted[below] + difference * weight
    }
}

/// The categories of a column, sorted: by value if all are numbers, else by letter; a missing value is the last.
pub(crate) fn categories(texts: &Texts) -> Vec<Option<String>> {
    let mut words: Vec<&str> = texts.words().iter().map(|word| &**word).collect();
    let value = |word: &str| word.parse::<f64>().ok().filter(|value| !value.is_nan());
    if words.iter().all(|word| value(word).is_some()) {
        let key = |word: &str| value(word).unwrap_or_default();
        words.sort_by(|a, b| key(a).total_cmp(&key(b)).then_with(|| a.cmp(b)));
    } else {
        words.sort_unstable();
    }
    let missing = texts.codes().contains(&Texts::MISSING).then_some(None);
    words.into_iter().map(|word| Some(word.to_owned())).chain(missing).collect()
}

/// For each row the index of its category, or nothing for one that is ignored.
pub(super) fn indices(
    transform: &'static str,
    feature: &Feature,
    known: &[Option<String>],
    unknown: UnknownCategory,
) -> Result<Vec<Option<usize>>, TransformError> {
    let texts = feature.to_texts();
    let numbers: std::collections::HashMap<Option<&str>, usize> =
        known.iter().enumerate().map(|(index, category)| (category.as_deref(), index)).collect();
    let of_words: Vec<Option<usize>> =
        texts.words().iter().map(|word| numbers.get(&Some(&**word)).copied()).collect();
    let of_missing = numbers.get(&None).copied();
    let index = |(row, &code): (usize, &u32)| {
        let found = match of_words.get(code as usize) {
            Some(found) => *found,
            None => of_missing,
        };
        match (found, unknown) {
            (None, UnknownCategory::Error) => Err(TransformError::Value {
                transform,
                column: feature.name().to_owned(),
                row,
                value: texts.get(row).map_or("a missing value".to_owned(), |word| format!("{word:?}")),
                remedy: "it was not in the training data: correct it, or set unknown=ignore",
            }),
            (found, _) => Ok(found),
        }
    };
    texts.codes().iter().enumerate().map(index).collect()
}

/// Zeros for each row, if there is memory for them.
pub(super) fn zeros(
    transform: &'static str,
    feature: &Feature,
    remedy: &'static str,
) -> Result<Vec<f64>, TransformError> {
    let mut zeros = Vec::new();
    let memory = |_| TransformError::Memory { transform, column: feature.name().to_owned(), remedy };
    zeros.try_reserve_exact(feature.len()).map_err(memory)?;
    zeros.resize(feature.len(), 0.0);
    Ok(zeros)
}
