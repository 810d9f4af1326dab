//! Tables that cannot be prepared.

use std::io;
use std::path::PathBuf;

use chainrule_core::DescriptionError;

use crate::TableError;
use crate::transform::TransformError;

/// A table that cannot be made into matrices: where, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PreparationError {
    /// The table cannot be read, or has no such column.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A column has two roles.
    #[error("{column:?} is {first} and {second}: give it one role")]
    Roles {
        /// The column.
        column: String,
        /// One role.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// No column is a feature.
    #[error("{} has no features: all columns are targets, identifiers, constant, free texts or left out; name those to use with `columns`", path.display())]
    NoFeatures {
        /// The file.
        path: PathBuf,
    },
    /// A transform cannot be fitted or applied.
    #[error("{}{}: {source}", path.display(), line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Transform {
        /// The file.
        path: PathBuf,
        /// The line, if it is one row that cannot be transformed.
        line: Option<u64>,
        /// Why.
        source: Box<TransformError>,
    },
    /// A value is missing where there has to be one.
    #[error("{}, line {line}: {column:?} is missing: {remedy}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column, or the feature made of it.
        column: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A number is infinite, or too large for the precision.
    #[error("{}, line {line}: {column:?} is {value:e}, which is too large for {precision}: correct it, leave the row out, or use the transform `log`", path.display())]
    Infinite {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The column, or the feature made of it.
        column: String,
        /// Its value.
        value: f64,
        /// The precision, such as `f32`.
        precision: &'static str,
    },
    /// A target is not one of the classes.
    #[error("{}, line {line}: {text:?} is no class of {column:?}, which are {classes}: correct it, leave it out, learn from rows that have it, or, if {column:?} is an amount, take it for a number", path.display())]
    Class {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The target.
        column: String,
        /// Its text.
        text: String,
        /// The classes, the first few.
        classes: String,
    },
    /// The targets are not of the kind that was asked for.
    #[error("the targets are {found}, but {wanted} needs {needed}: {remedy}")]
    Targets {
        /// What they are.
        found: String,
        /// What was asked for.
        wanted: &'static str,
        /// What that needs.
        needed: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// There is no memory for the matrix.
    #[error(
        "a matrix of {rows} rows and {features} features needs more memory than there is: use fewer rows, or fewer categories"
    )]
    Memory {
        /// The number of rows.
        rows: usize,
        /// The number of features.
        features: usize,
    },
    /// The file of a preparation cannot be read or written.
    #[error("cannot {action} {}: check the path and its permissions", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A text describes no preparation.
    #[error("the preparation cannot be read")]
    Description(#[from] DescriptionError),
}
