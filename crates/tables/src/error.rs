//! Files that cannot be read as a table.

use std::io;
use std::path::PathBuf;

/// A file that cannot be read as a table: which, where, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The system cannot read it.
    #[error("cannot read {}: check the path and its permissions", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is compressed, and damaged.
    #[error("{} is a damaged gzip file: fetch it again", path.display())]
    Gzip {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// It is no text.
    #[error("{} is {found}, not a text with a row per line: {remedy}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// It is a Parquet file that cannot be read.
    #[error("{}, a Parquet file{}: {found}: {remedy}", path.display(), column.as_ref().map(|name| format!(", column {name:?}")).unwrap_or_default())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The column, if it is about one.
        column: Option<String>,
        /// What is wrong with it, or not known.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// It has no rows or no columns.
    #[error("{} holds no rows{}: check that it is the right file, and which line is the header", path.display(), after(*skipped))]
    Empty {
        /// The file.
        path: PathBuf,
        /// How many lines at its beginning were left out.
        skipped: usize,
    },
    /// A quoted field is not closed.
    #[error("{}, line {line}: a field that begins with a quotation mark does not end: close it, or read the file with `without_quotes`", path.display())]
    Quote {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// A row has more fields than there are columns.
    #[error(
        "{}, line {line}: the row has {found} fields, but the table has {columns} columns separated by {delimiter}: put fields that contain it in quotes, or give the delimiter or the header's line",
        path.display()
    )]
    LongRow {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The number of fields of the row.
        found: usize,
        /// The number of columns.
        columns: usize,
        /// What separates them, in words.
        delimiter: &'static str,
    },
    /// There are more columns than any table has.
    #[error("{}, line {line}: the row has more than {most} fields: give the delimiter if it is another, or use a table with rows and columns exchanged", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// How many there may be.
        most: usize,
    },
    /// Most fields are missing, so the table would be much larger than the file.
    #[error(
        "{}, line {line}: the row has {found} fields where the table has {columns} columns, and so have too many before it: give the delimiter or the header's line",
        path.display()
    )]
    ShortRows {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The number of fields of the row.
        found: usize,
        /// The number of columns.
        columns: usize,
    },
    /// A field is not what its column was said to hold.
    #[error("{}, line {line}, column {column:?}: {text:?} is not {expected}: correct it, or give the column another kind", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column's name.
        column: String,
        /// The text of the field.
        text: String,
        /// What it should be.
        expected: &'static str,
    },
    /// There is no such column.
    #[error("{} has no column {wanted:?}{}", path.display(), nearest.as_ref().map(|name| format!("; the nearest is {name:?}")).unwrap_or_default())]
    Column {
        /// The file.
        path: PathBuf,
        /// The requested column.
        wanted: String,
        /// The most similar name that there is.
        nearest: Option<String>,
    },
    /// An option that cannot be.
    #[error("the {option} {found:?} cannot be used: {remedy}")]
    Option {
        /// The option.
        option: &'static str,
        /// Its value.
        found: String,
        /// What it may be.
        remedy: &'static str,
    },
    /// There is no memory for it.
    #[error("{} holds more than the system has memory for: use a part of it, or free some memory", path.display())]
    Memory {
        /// The file.
        path: PathBuf,
    },
}

fn after(skipped: usize) -> String {
    match skipped {
        0 => String::new(),
        1 => " after its first line".to_owned(),
        lines => format!(" after its first {lines} lines"),
    }
}
