//! What a metric's value can be.

mod plot;
#[cfg(feature = "serde")]
mod serialize;
mod table;

use std::fmt;

pub use plot::Plot;
pub use table::Table;

/// The value of a metric: a number, a vector with a number for each class or column, or a table such as a curve. There may be
/// none, for a reason that is said: it is not taken for 0.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// A number, which may be infinite but not NaN.
    Number(f64),
    /// No number, and why.
    Undefined(Undefined),
    /// A number for each class or column, or why there is none.
    Vector(Vec<Result<f64, Undefined>>),
    /// Rows of numbers.
    Table(Table),
}

/// Why there is nothing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("undefined, since {0}")]
pub struct Undefined(
    /// The reason, as the end of a sentence: `"no sample is positive"`.
    pub &'static str,
);

impl Undefined {
    /// Nothing was counted.
    pub const NO_SAMPLE: Self = Self("there is no sample");

    /// A NaN among the outputs or the targets.
    pub const NAN: Self = Self("an output or a target is not a number");
}

impl MetricValue {
    /// A number; undefined if it is NaN, as where an output or a target is.
    pub fn number(number: f64) -> Self {
        Self::from(defined(number))
    }

    /// The number, if it is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The numbers of a vector.
    pub fn as_vector(&self) -> Option<&[Result<f64, Undefined>]> {
        match self {
            Self::Vector(numbers) => Some(numbers),
            _ => None,
        }
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Why there is no value, if there is none.
    pub fn undefined(&self) -> Option<Undefined> {
        match self {
            Self::Undefined(reason) => Some(*reason),
            _ => None,
        }
    }
}

/// This number, unless it is NaN.
pub(crate) fn defined(number: f64) -> Result<f64, Undefined> {
    if number.is_nan() { Err(Undefined::NAN) } else { Ok(number) }
}

impl From<Result<f64, Undefined>> for MetricValue {
    fn from(number: Result<f64, Undefined>) -> Self {
        number.map_or_else(Self::Undefined, Self::Number)
    }
}

impl From<Table> for MetricValue {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

impl fmt::Display for MetricValue {
    /// On one line: of a table only its size. With `#` a table has all its rows.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number:.4}"),
            Self::Undefined(reason) => reason.fmt(f),
            Self::Vector(numbers) => {
                f.write_str("[")?;
                for (index, number) in numbers.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    match number {
                        Ok(number) => write!(f, "{number:.4}")?,
                        Err(_) => f.write_str("undefined")?,
                    }
                }
                f.write_str("]")
            }
            Self::Table(table) if f.alternate() => write!(f, "{table}"),
            Self::Table(table) => write!(f, "({} x {})", table.rows().len(), table.columns().len()),
        }
    }
}
