//! Columns on their way through transforms.

use crate::column::{ColumnData, Texts};
use crate::values::Numbers;

/// Columns of equal length, each with a name.
#[derive(Clone, Debug, Default)]
pub struct Features {
    columns: Vec<Feature>,
}

impl Features {
    /// These columns.
    pub fn new(columns: Vec<Feature>) -> Self {
        Self { columns }
    }

    /// The columns.
    pub fn columns(&self) -> &[Feature] {
        &self.columns
    }

    /// The columns, taken out.
    pub fn into_columns(self) -> Vec<Feature> {
        self.columns
    }
}

/// A column with a name.
#[derive(Clone, Debug)]
pub struct Feature {
    name: String,
    data: ColumnData,
}

impl Feature {
    /// A column of this name.
    pub fn new(name: impl Into<String>, data: ColumnData) -> Self {
        Self { name: name.into(), data }
    }

    /// A column of numbers; NaN is a missing one.
    pub fn numbers(name: impl Into<String>, values: Vec<f64>) -> Self {
        Self::new(name, ColumnData::Numbers(Numbers::new(values)))
    }

    /// A column of texts; `None` is a missing one.
    pub fn texts<'a>(name: impl Into<String>, texts: impl IntoIterator<Item = Option<&'a str>>) -> Self {
        Self::new(name, ColumnData::Texts(Texts::of(texts)))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its values.
    pub fn data(&self) -> &ColumnData {
        &self.data
    }

    /// Its values, if they are numbers.
    pub fn as_numbers(&self) -> Option<&[f64]> {
        match &self.data {
            ColumnData::Numbers(numbers) => Some(numbers.values()),
            ColumnData::Texts(_) => None,
        }
    }

    /// Its values as texts, numbers as Rust writes them.
    pub fn to_texts(&self) -> Texts {
        match &self.data {
            ColumnData::Texts(texts) => texts.clone(),
            ColumnData::Numbers(numbers) => {
                let words =
                    numbers.values().iter().map(|value| (!value.is_nan()).then(|| (value + 0.0).to_string()));
                let words: Vec<Option<String>> = words.collect();
                Texts::of(words.iter().map(Option::as_deref))
            }
        }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        match &self.data {
            ColumnData::Numbers(numbers) => numbers.len(),
            ColumnData::Texts(texts) => texts.len(),
        }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
