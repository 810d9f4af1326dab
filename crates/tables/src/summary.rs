//! What a table holds, in figures.

use std::collections::HashSet;
use std::fmt;

use crate::column::{ColumnData, ColumnKind, TableColumn};
use crate::table::{Table, TableFormat};
use crate::values::date_text;

/// A column in figures.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ColumnSummary {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ColumnKind,
    /// How its numbers are written, if it is not as in programs.
    pub style: String,
    /// In how many rows it has no value.
    pub missing: usize,
    /// How many different values it has.
    pub distinct: usize,
    /// The smallest number.
    pub minimum: Option<f64>,
    /// The largest number.
    pub maximum: Option<f64>,
    /// The mean of the numbers.
    pub mean: Option<f64>,
    /// Whether the numbers are days since 1970-01-01.
    pub is_date: bool,
    /// The most frequent texts and how often each occurs, at most five.
    pub frequent: Vec<(String, usize)>,
}

impl ColumnSummary {
    /// The figures of a column.
    pub fn of(column: &TableColumn) -> Self {
        let mut summary = Self {
            name: column.name.clone(),
            kind: column.kind,
            style: column.style.to_string(),
            missing: column.missing(),
            distinct: 0,
            minimum: None,
            maximum: None,
            mean: None,
            is_date: column.is_date,
            frequent: Vec::new(),
        };
        match &column.data {
            ColumnData::Numbers(numbers) => {
                let present = || numbers.values().iter().copied().filter(|value| !value.is_nan());
                // So that 0 and -0 are one value. Sorting takes a third of the time of a hash set.
                let mut distinct: Vec<u64> = present().map(|value| (value + 0.0).to_bits()).collect();
                distinct.sort_unstable();
                distinct.dedup();
                summary.distinct = distinct.len();
                summary.minimum = present().reduce(f64::min);
                summary.maximum = present().reduce(f64::max);
                summary.mean = mean(present());
            }
            ColumnData::Texts(texts) => {
                let mut counts = vec![0usize; texts.words().len()];
                for &code in texts.codes() {
                    if let Some(count) = counts.get_mut(code as usize) {
                        *count += 1;
                    }
                }
                summary.distinct = counts.len();
                let mut order: Vec<usize> = (0..counts.len()).collect();
                order.sort_by_key(|&word| std::cmp::Reverse(counts[word]));
                let frequent =
                    order.iter().take(5).map(|&word| (texts.words()[word].to_string(), counts[word]));
                summary.frequent = frequent.collect();
            }
        }
        summary
    }

    /// One of its numbers in words: a date if they are dates.
    pub fn number_text(&self, number: f64) -> String {
        if self.is_date { date_text(number) } else { number.to_string() }
    }
}

/// The mean, whose sum is kept in two parts so that its rounding does not grow with the number of terms (Neumaier 1974).
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut rest, mut count) = (0.0f64, 0.0f64, 0usize);
    for value in values {
        let next = sum + value;
        rest += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
        count += 1;
    }
    let total = if (sum + rest).is_nan() { sum } else { sum + rest };
    (count > 0).then(|| total / count as f64)
}

/// What is likely worth a look before a training.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TableWarning {
    /// A column says nothing, since it has one value or none.
    Constant {
        /// The column.
        column: String,
    },
    /// A column names the rows, and a model would learn them by heart.
    Identifier {
        /// The column.
        column: String,
    },
    /// A feature is the target under another name.
    IsTarget {
        /// The feature.
        column: String,
        /// The target.
        target: String,
    },
    /// Rows occur more than once.
    Duplicates {
        /// How many rows equal one before them.
        rows: usize,
    },
    /// Most of a column is missing.
    MostlyMissing {
        /// The column.
        column: String,
        /// How many rows have no value.
        missing: usize,
    },
    /// Numbers are infinite, or too large for double precision.
    Infinite {
        /// The column.
        column: String,
        /// How many.
        rows: usize,
    },
    /// Dates could have day and month the other way round.
    AmbiguousDates {
        /// The column.
        column: String,
    },
    /// Rows have fewer fields than there are columns.
    ShortRows {
        /// How many.
        rows: usize,
    },
}

impl fmt::Display for TableWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant { column } => {
                write!(f, "{column:?} has one value or none: it says nothing, leave it out")
            }
            Self::Identifier { column } => {
                write!(f, "{column:?} names the rows: leave it out, or a model learns them by heart")
            }
            Self::IsTarget { column, target } => {
                write!(
                    f,
                    "{column:?} determines the target {target:?}: leave it out if it is not known beforehand"
                )
            }
            Self::Duplicates { rows } => write!(
                f,
                "rows that equal an earlier one: {rows}; a test set may then hold what a model was trained on"
            ),
            Self::MostlyMissing { column, missing } => {
                write!(f, "{column:?} is missing in more than half of the rows ({missing})")
            }
            Self::Infinite { column, rows } => {
                write!(
                    f,
                    "{column:?} has values that are infinite or too large ({rows}): no training can use them"
                )
            }
            Self::AmbiguousDates { column } => {
                write!(
                    f,
                    "{column:?} is read with the month before the day, but could be the other way round"
                )
            }
            Self::ShortRows { rows } => {
                write!(f, "rows with fewer fields than there are columns: {rows}; what they lack is missing")
            }
        }
    }
}

impl Table {
    /// The figures of all columns.
    pub fn summary(&self) -> Vec<ColumnSummary> {
        self.columns.iter().map(ColumnSummary::of).collect()
    }

    /// What is likely worth a look, with these columns as the targets.
    pub fn warnings(&self, targets: &[&TableColumn]) -> Vec<TableWarning> {
        let mut warnings = Vec::new();
        for column in &self.columns {
            let name = || column.name.clone();
            let missing = column.missing();
            match column.kind {
                ColumnKind::Constant => warnings.push(TableWarning::Constant { column: name() }),
                ColumnKind::Identifier => warnings.push(TableWarning::Identifier { column: name() }),
                _ if missing * 2 > self.rows => {
                    warnings.push(TableWarning::MostlyMissing { column: name(), missing });
                }
                _ => {}
            }
            let infinite = |numbers: &crate::Numbers| {
                numbers.values().iter().filter(|value| value.is_infinite()).count()
            };
            let rows = column.numbers().map_or(0, infinite);
            if rows > 0 {
                warnings.push(TableWarning::Infinite { column: name(), rows });
            }
            if column.ambiguous_dates {
                warnings.push(TableWarning::AmbiguousDates { column: name() });
            }
            let others =
                targets.iter().filter(|target| target.name != column.name && is_same(column, target));
            warnings.extend(
                others.map(|target| TableWarning::IsTarget { column: name(), target: target.name.clone() }),
            );
        }
        let duplicates = self.duplicates();
        if duplicates > 0 {
            warnings.push(TableWarning::Duplicates { rows: duplicates });
        }
        if let TableFormat::Text { short_rows: rows @ 1.., .. } = self.source.format {
            warnings.push(TableWarning::ShortRows { rows });
        }
        warnings
    }

    /// How many rows equal an earlier one in all columns but identifiers.
    pub fn duplicates(&self) -> usize {
        let columns: Vec<&TableColumn> =
            self.columns.iter().filter(|column| column.kind != ColumnKind::Identifier).collect();
        if columns.is_empty() {
            return 0;
        }
        let mut seen = HashSet::with_capacity(self.rows);
        (0..self.rows).filter(|&row| !seen.insert(hash(&columns, row))).count()
    }
}

/// A number of 128 bits by which rows are told apart; that two rows share one by chance is out of the question.
fn hash(columns: &[&TableColumn], row: usize) -> u128 {
    columns.iter().fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D, |hash: u128, column| {
        let value = column.label(row);
        (hash ^ u128::from(value)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B).rotate_left(29)
    })
}

/// Whether two columns determine each other, value by value, and have more than one value.
fn is_same(column: &TableColumn, target: &TableColumn) -> bool {
    if matches!(column.kind, ColumnKind::Constant | ColumnKind::Identifier | ColumnKind::Text) {
        return false;
    }
    let rows = column.len();
    let mut there = std::collections::HashMap::new();
    let mut back = std::collections::HashMap::new();
    let paired = (0..rows).all(|row| {
        let (value, other) = (column.label(row), target.label(row));
        *there.entry(value).or_insert(other) == other && *back.entry(other).or_insert(value) == value
    });
    // Where nearly all values differ, any two columns determine each other.
    let repeated = there.len() * 2 <= rows;
    let equal = matches!((&column.data, &target.data), (ColumnData::Numbers(_), ColumnData::Numbers(_)))
        && there.iter().all(|(value, other)| value == other);
    paired && there.len() > 1 && (repeated || equal)
}
