use std::collections::HashMap;
use std::sync::Arc;

use chainrule_core::{Value, describe, described, setting_words};

use super::{Feature, Features, Transform, TransformError, fitted};
use crate::column::{ColumnData, Texts};
use crate::summary::mean;

const NAME: &str = "impute";

/// What takes the position of a missing value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImputeStrategy {
    /// The mean of the column.
    Mean,
    /// The median of the column.
    Median,
    /// The most frequent value of the column, of several the smallest.
    MostFrequent,
    /// A value of choice.
    Constant,
}

setting_words! { ImputeStrategy {
    Mean = "mean",
    Median = "median",
    MostFrequent = "most_frequent",
    Constant = "constant",
} }

/// Replaces missing values by a value of their column, learnt from the training data.
///
/// As scikit-learn's `SimpleImputer`. With an indicator each column with missing values in the training data is followed, after all
/// columns, by another that is 1 where the value was missing and else 0.
#[derive(Clone, Debug)]
pub struct Impute {
    strategy: ImputeStrategy,
    fill: Value,
    indicator: bool,
    values: Option<Vec<Value>>,
    indicated: Option<Vec<usize>>,
}

describe! {
    /// Impute: replaces missing values by the mean, the median or the most frequent value of their column, or by a constant.
    Impute = "impute";
    aliases ["simple_imputer", "imputer", "fill_missing"];
    source "scikit-learn's SimpleImputer";
    settings {
        /// What replaces them: mean, median, most_frequent or constant.
        strategy: mean;
        /// The constant [default: 0, or `missing` for texts].
        fill ("fill_value"): none;
        /// Whether columns are added that are 1 where a value was missing.
        indicator ("add_indicator"): false;
        /// The value for each column, learnt.
        values ("statistics"): none;
        /// The indices of the columns that have an indicator, learnt.
        indicated: none;
    }
}

impl Impute {
    /// By this rule.
    pub fn new(strategy: ImputeStrategy) -> Self {
        Self { strategy, fill: Value::None, indicator: false, values: None, indicated: None }
    }

    /// By the mean.
    pub fn mean() -> Self {
        Self::new(ImputeStrategy::Mean)
    }

    /// By the median.
    pub fn median() -> Self {
        Self::new(ImputeStrategy::Median)
    }

    /// By the most frequent value.
    pub fn most_frequent() -> Self {
        Self::new(ImputeStrategy::MostFrequent)
    }

    /// By this number or text.
    pub fn constant(fill: impl Into<Value>) -> Self {
        Self { fill: fill.into(), ..Self::new(ImputeStrategy::Constant) }
    }

    /// With columns that are 1 where a value was missing.
    #[must_use]
    pub fn indicator(self) -> Self {
        Self { indicator: true, ..self }
    }

    fn learn(&self, feature: &Feature) -> Result<Value, TransformError> {
        let no_values = || TransformError::NoValues { transform: NAME, column: feature.name().to_owned() };
        let texts = || TransformError::Texts { transform: NAME, column: feature.name().to_owned() };
        match (self.strategy, feature.data()) {
            (ImputeStrategy::Constant, ColumnData::Numbers(_)) => match &self.fill {
                Value::None => Ok(Value::Number(0.0)),
                fill => fill.as_f64().map(Value::Number).ok_or_else(texts),
            },
            (ImputeStrategy::Constant, ColumnData::Texts(_)) => Ok(match &self.fill {
                Value::None => Value::from("missing"),
                Value::Text(text) => Value::Text(text.clone()),
                other => Value::Text(other.to_string()),
            }),
            (ImputeStrategy::MostFrequent, ColumnData::Texts(texts)) => {
                most_frequent_text(texts).map(Value::Text).ok_or_else(no_values)
            }
            (_, ColumnData::Texts(_)) => Err(texts()),
            (strategy, ColumnData::Numbers(numbers)) => {
                let mut present = fitted::present(NAME, feature, numbers.values())?;
                Ok(Value::Number(match strategy {
                    ImputeStrategy::Mean => mean(present.iter().copied()).unwrap_or_default(),
                    ImputeStrategy::MostFrequent => most_frequent(&mut present),
                    _ => {
                        present.sort_by(f64::total_cmp);
                        fitted::quantile(&present, 0.5)
                    }
                }))
            }
        }
    }
}

/// The value that occurs most often, of several the smallest.
fn most_frequent(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let runs = values.chunk_by(|a, b| a == b);
    let longest = runs.reduce(|best, run| if run.len() > best.len() { run } else { best });
    longest.map_or(0.0, |run| run[0])
}

fn most_frequent_text(texts: &Texts) -> Option<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for row in 0..texts.len() {
        if let Some(word) = texts.get(row) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by(|(a, m), (b, n)| m.cmp(n).then_with(|| b.cmp(a)));
    most.map(|(word, _)| word.to_owned())
}

impl Transform for Impute {
    described!();

    fn fit(&self, features: &Features) -> Result<Arc<dyn Transform>, TransformError> {
        let values =
            features.columns().iter().map(|feature| self.learn(feature)).collect::<Result<_, _>>()?;
        let has_missing = |feature: &Feature| missing(feature).contains(&true);
        let indicated = (0..features.columns().len())
            .filter(|&column| self.indicator && has_missing(&features.columns()[column]));
        Ok(Arc::new(Self { values: Some(values), indicated: Some(indicated.collect()), ..self.clone() }))
    }

    fn apply(&self, features: &Features) -> Result<Features, TransformError> {
        let values = fitted::learnt(NAME, self.values.as_ref(), features)?;
        let mut columns = Vec::with_capacity(features.columns().len());
        for (feature, value) in features.columns().iter().zip(values) {
            columns.push(filled(feature, value)?);
        }
        for &column in self.indicated.iter().flatten() {
            let Some(feature) = features.columns().get(column) else { continue };
            let indicator = missing(feature).into_iter().map(f64::from).collect();
            columns.push(Feature::numbers(format!("{}_missing", feature.name()), indicator));
        }
        Ok(Features::new(columns))
    }
}

/// For each row whether it has no value.
fn missing(feature: &Feature) -> Vec<bool> {
    match feature.data() {
        ColumnData::Numbers(numbers) => numbers.values().iter().map(|value| value.is_nan()).collect(),
        ColumnData::Texts(texts) => texts.codes().iter().map(|&code| code == Texts::MISSING).collect(),
    }
}

/// The column with this value where it has none.
fn filled(feature: &Feature, value: &Value) -> Result<Feature, TransformError> {
    let data = match feature.data() {
        ColumnData::Numbers(numbers) => {
            let texts = || TransformError::Texts { transform: NAME, column: feature.name().to_owned() };
            let value = value.as_f64().ok_or_else(texts)?;
            ColumnData::Numbers(numbers.filled(value))
        }
        ColumnData::Texts(texts) => {
            let word = match value {
                Value::Text(text) => text.clone(),
                other => other.to_string(),
            };
            ColumnData::Texts(Texts::of((0..texts.len()).map(|row| Some(texts.get(row).unwrap_or(&word)))))
        }
    };
    Ok(Feature::new(feature.name(), data))
}
