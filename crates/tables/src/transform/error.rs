//! What a transform cannot be applied to.

use chainrule_core::SettingError;

/// What a transform cannot be fitted or applied to.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TransformError {
    /// It has learnt nothing yet.
    #[error("{transform} has not been fitted: fit it to the training data first")]
    NotFitted {
        /// The transform.
        transform: &'static str,
    },
    /// It was fitted to another number of columns.
    #[error(
        "{transform} was fitted to {expected} columns, but is applied to {found}: give the same columns in the same order"
    )]
    Columns {
        /// The transform.
        transform: &'static str,
        /// The number of columns that it was fitted to.
        expected: usize,
        /// The number of columns here.
        found: usize,
    },
    /// It takes numbers.
    #[error(
        "{transform} takes numbers, but {column:?} holds texts: put `one_hot`, `ordinal` or `hashing` before it, or give the column another transform"
    )]
    Texts {
        /// The transform.
        transform: &'static str,
        /// The column.
        column: String,
    },
    /// There is nothing to learn from.
    #[error("{transform} cannot learn from {column:?}, which has no values: leave the column out")]
    NoValues {
        /// The transform.
        transform: &'static str,
        /// The column.
        column: String,
    },
    /// A value has no transformed one.
    #[error("{transform} of {column:?} is not defined for {value}: {remedy}")]
    Value {
        /// The transform.
        transform: &'static str,
        /// The column.
        column: String,
        /// The row, from 0.
        row: usize,
        /// The value.
        value: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It has given another number of rows than it was given.
    #[error(
        "{column:?} has {found} rows after its transform, but had {expected}: correct the transform, which has to give a value for each row"
    )]
    Rows {
        /// The column.
        column: String,
        /// The number of rows before.
        expected: usize,
        /// The number of rows after.
        found: usize,
    },
    /// LAPACK has no result, or there is none.
    #[error("{transform} is fitted by LAPACK: {problem}")]
    Lapack {
        /// The transform.
        transform: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// What it has learnt is not what it can have learnt.
    #[error("what {transform} has learnt is damaged: {problem}; fit it again")]
    Damaged {
        /// The transform.
        transform: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// A setting cannot work.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// There is no memory for what it gives.
    #[error("{transform} of {column:?} needs more memory than there is: {remedy}")]
    Memory {
        /// The transform.
        transform: &'static str,
        /// The column.
        column: String,
        /// What to do.
        remedy: &'static str,
    },
}

impl TransformError {
    /// The row that cannot be transformed, from 0, if it is one.
    pub fn row(&self) -> Option<usize> {
        match self {
            Self::Value { row, .. } => Some(*row),
            _ => None,
        }
    }
}
