//! A table in memory.

use std::path::{Path, PathBuf};

use chainrule_core::nearest_name;

use crate::TableError;
use crate::column::{TableColumn, Texts};
use crate::dialect::Delimiter;
use crate::read::TableReader;
use crate::source::Encoding;

/// A table: columns of numbers, dates, booleans and texts.
///
/// ```
/// use chainrule_tables::Table;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("plants.csv");
/// std::fs::write(&path, "height,species\n5.1,oak\nNA,elm\n7.0,oak\n")?;
/// let table = Table::read(&path)?;
/// assert_eq!((table.rows(), table.columns().len()), (3, 2));
/// assert_eq!(table.column("height")?.missing(), 1);
/// assert_eq!(table.column("species")?.texts().unwrap().get(1), Some("elm"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) columns: Vec<TableColumn>,
    pub(crate) rows: usize,
    pub(crate) row_names: Option<Texts>,
    pub(crate) lines: Lines,
    pub(crate) source: TableSource,
}

/// What a table was read from, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TableSource {
    /// The file.
    pub path: PathBuf,
    /// Whether it is compressed, or its columns are.
    pub compressed: bool,
    /// What it is.
    pub format: TableFormat,
}

/// What the file of a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableFormat {
    /// A text with a row in each line.
    Text {
        /// Its encoding.
        encoding: Encoding,
        /// What separates its fields.
        delimiter: Delimiter,
        /// Whether it has a header.
        header: bool,
        /// How many lines before the table were left out.
        skipped: usize,
        /// How many rows have fewer fields than there are columns; the fields that they lack are missing.
        short_rows: usize,
    },
    /// Columns one after the other, with their names and types.
    Parquet,
}

impl Table {
    /// Reads a file, and finds out how it is written. [`TableReader`] can be told.
    ///
    /// # Errors
    ///
    /// [`TableError`] with the file, the line, and what to do.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TableError> {
        TableReader::new(path.as_ref()).read()
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// The column with this name.
    ///
    /// # Errors
    ///
    /// [`TableError::Column`] with the nearest name, if there is none.
    pub fn column(&self, name: &str) -> Result<&TableColumn, TableError> {
        let found = self.columns.iter().find(|column| column.name == name);
        found.ok_or_else(|| TableError::Column {
            path: self.source.path.clone(),
            wanted: name.to_owned(),
            nearest: nearest_name(name, self.columns.iter().map(|column| &*column.name)).map(str::to_owned),
        })
    }

    /// The names of the rows, where the header has none for them, as in files that R writes.
    pub fn row_names(&self) -> Option<&Texts> {
        self.row_names.as_ref()
    }

    /// What it was read from.
    pub fn source(&self) -> &TableSource {
        &self.source
    }

    /// The line of a row in the file, from 1; of a Parquet file, which has no lines, the number of the row.
    pub fn line(&self, row: usize) -> u64 {
        self.lines.get(row)
    }
}

/// The lines of rows: stored where one is not just after that of the row before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    breaks: Vec<(usize, u64)>,
}

impl Lines {
    /// Adds the line of the next row.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, line: u64) {
        let expected = self.breaks.last().map(|&(first, at)| at + (row - first) as u64);
        if expected != Some(line) {
            self.breaks.push((row, line));
        }
    }

    fn get(&self, row: usize) -> u64 {
        let after = self.breaks.partition_point(|&(first, _)| first <= row);
        after.checked_sub(1).map_or(0, |index| {
            let (first, line) = self.breaks[index];
            line + (row - first) as u64
        })
    }
}
