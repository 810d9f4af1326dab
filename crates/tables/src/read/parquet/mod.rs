//! Parquet files as tables (<https://github.com/apache/parquet-format>).
//!
//! It is read here and not by the crate `parquet`, which takes long to compile, requests memory for the sizes that a file claims, and
//! panics on some that are damaged. What is read is what tables are: columns of numbers, booleans, dates and
//! texts, with one value or none in each row. A file's sizes are bounded by its length before anything of them is done.

mod column;
mod decode;
mod footer;
mod pages;
mod thrift;

use column::ColumnBuilder;
use footer::Footer;

use super::textual::FileStyle;
use super::typed::{self, ReadColumn};
use super::{TableReader, decimal, unique_names};
use crate::TableError;
use crate::column::{ColumnData, ColumnKind, TableColumn};
use crate::dialect::MAX_COLUMNS;
use crate::table::{Lines, Table, TableFormat, TableSource};

/// A file may hold so many values, and so many bytes after it is decompressed, for each of its bytes: tables rarely hold more than thirty.
const MAX_EXPANSION: usize = 250;

/// However small a file is, it may hold this many values.
const ALWAYS_ALLOWED: usize = 1 << 21;

/// However small a file is, its pages may have this many bytes.
const ALWAYS_ALLOWED_BYTES: usize = 16 << 20;

/// What pandas calls the names of the rows, if they have none.
const INDEX: &str = "__index_level_";

/// What of a file is not as it has to be.
#[derive(Clone, Copy, Debug)]
struct Damage(&'static str);

/// Why a file, or a column, cannot be read.
#[derive(Debug)]
enum Problem {
    Damage(Damage),
    Unsupported(&'static str),
    /// It is compressed by this.
    Codec(&'static str),
    /// It is compressed by Zstandard with a window of so many bytes, which is too large.
    Window(u64),
    /// It has more columns than a table may have.
    Columns,
    /// It claims to be too large for its bytes.
    Expansion,
    Memory,
}

impl From<Damage> for Problem {
    fn from(damage: Damage) -> Self {
        Self::Damage(damage)
    }
}

impl Problem {
    fn at(self, reader: &TableReader, column: Option<&str>) -> TableError {
        let (found, remedy) = match self {
            Self::Damage(Damage(what)) => (format!("{what} is damaged"), "fetch it or write it again"),
            Self::Unsupported(what) => (what.to_owned(), "write the file without it, or as CSV"),
            Self::Codec(name) => {
                let remedy = "write it with Snappy, Zstandard or gzip, as pandas does with to_parquet(file)";
                (format!("it is compressed with {name}, which is not read"), remedy)
            }
            Self::Window(bytes) => {
                let found = format!("its Zstandard window of {} MiB is too large", bytes >> 20);
                (found, "write it with a lower level of compression, or with Snappy")
            }
            Self::Columns => {
                return TableError::Columns { path: reader.path.clone(), line: 1, most: MAX_COLUMNS };
            }
            Self::Expansion => {
                let found = "it claims to hold more than 250 times what its bytes justify".to_owned();
                (found, "write it as CSV if it is to be trusted")
            }
            Self::Memory => return TableError::Memory { path: reader.path.clone() },
        };
        TableError::Parquet { path: reader.path.clone(), column: column.map(str::to_owned), found, remedy }
    }
}

/// Whether a file with these bytes is one.
pub(super) fn is_parquet(file: &[u8]) -> bool {
    // A text may well begin with the letters of an encrypted one, as `PARENT` does.
    let is_encrypted = file.starts_with(footer::ENCRYPTED) && file.ends_with(footer::ENCRYPTED);
    file.starts_with(footer::MAGIC) || is_encrypted
}

/// The table of a file with these bytes.
pub(super) fn table(reader: &TableReader, file: &[u8]) -> Result<Table, TableError> {
    let footer = Footer::read(file).map_err(|problem| problem.at(reader, None))?;
    let Footer { leaves, groups } = &footer;
    let given: Vec<&str> = leaves.iter().map(|leaf| &*leaf.name).collect();
    let names = unique_names(&given, leaves.len());
    reader.check_columns(&names)?;
    let rows = groups.iter().try_fold(0usize, |rows, group| rows.checked_add(group.rows));
    let values = rows.and_then(|rows| rows.checked_mul(leaves.len()));
    let most = file.len().saturating_mul(MAX_EXPANSION).max(ALWAYS_ALLOWED);
    if values.is_none_or(|values| values > most) {
        return Err(Problem::Expansion.at(reader, None));
    }
    let rows = rows.unwrap_or(0);
    if rows == 0 || names.is_empty() {
        return Err(TableError::Empty { path: reader.path.clone(), skipped: 0 });
    }
    let mut budget = file.len().saturating_mul(MAX_EXPANSION).max(ALWAYS_ALLOWED_BYTES);
    let mut columns = Vec::with_capacity(names.len());
    for (index, (leaf, name)) in leaves.iter().zip(names).enumerate() {
        let mut read = || {
            let mut builder = ColumnBuilder::new(leaf, &reader.missing, reader.kind_of(&name))?;
            for group in groups {
                pages::read(file, leaf, (&group.chunks[index], group.rows), &mut budget, &mut builder)?;
            }
            Ok(builder.finish(&name))
        };
        let read = read().map_err(|problem: Problem| problem.at(reader, Some(&name)))?;
        let ReadColumn { data, kind, style, is_date, ambiguous_dates, boolean_words } =
            as_told(reader, &name, read)?;
        columns.push(TableColumn { name, kind, data, style, is_date, ambiguous_dates, boolean_words });
    }
    let mut lines = Lines::default();
    lines.push(0, 1);
    let compressed = groups.iter().flat_map(|group| &group.chunks).any(|chunk| chunk.codec != 0);
    let source = TableSource { path: reader.path.clone(), compressed, format: TableFormat::Parquet };
    Ok(Table { columns, rows, row_names: None, lines, source })
}

/// The column, as the kind that the reader was told.
fn as_told(reader: &TableReader, name: &str, read: ReadColumn) -> Result<ReadColumn, TableError> {
    use ColumnKind::{Boolean, Category, Constant, Date, Identifier, Number, Text};
    let numbers = matches!(read.data, ColumnData::Numbers(_));
    let kind = match reader.kind_of(name) {
        None if name.starts_with(INDEX) && !read.is_date => {
            return Ok(ReadColumn { kind: Identifier, ..read });
        }
        None | Some(Constant) => return Ok(read),
        Some(kind) => kind,
    };
    match kind {
        Number if numbers => return Ok(ReadColumn { is_date: false, ..ReadColumn::new(read.data, kind) }),
        Identifier => return Ok(ReadColumn { kind, ..read }),
        Category | Text if !numbers => return Ok(ReadColumn { kind, ..read }),
        Boolean if read.boolean_words.is_some() => return Ok(ReadColumn { kind, ..read }),
        Date if read.is_date => return Ok(ReadColumn { kind, ..read }),
        _ => {}
    }
    let texts = column::texts_of(&read);
    let style = FileStyle::find(std::iter::once(&texts), decimal(reader), false, || false);
    let reading = typed::Reading { style: &style, order: reader.date_order, name, kind: Some(kind) };
    typed::column(texts, reading).map_err(|wrong| TableError::Value {
        path: reader.path.clone(),
        line: wrong.row.map_or(0, |row| row as u64 + 1),
        column: name.to_owned(),
        text: wrong.text,
        expected: wrong.expected,
    })
}
