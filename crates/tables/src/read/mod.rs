//! From a file to a table.

mod kinds;
mod numeric;
mod options;
mod parquet;
mod rows;
mod textual;
mod typed;

pub use options::TableReader;
pub(crate) use textual::TextBuilder;

use std::collections::HashMap;
use std::path::Path;

use chainrule_core::nearest_name;

use crate::TableError;
use crate::column::{ColumnData, ColumnKind, TableColumn, Texts};
use crate::dialect::{self, Delimiter, Dialect, MAX_COLUMNS};
use crate::source;
use crate::table::{Table, TableFormat, TableSource};
use crate::values::number::Decimal;

impl TableReader {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`TableError`] with the file, the line, and what to do.
    pub fn read(&self) -> Result<Table, TableError> {
        self.check_options()?;
        let path = &*self.path;
        let bytes = source::bytes(path)?;
        if parquet::is_parquet(&bytes) {
            return parquet::table(self, &bytes);
        }
        let source = source::text(path, bytes, self.encoding)?;
        let dialect = dialect::find(&source.text, self)?;
        let text = dialect.normalised.as_deref().unwrap_or(&source.text);
        if dialect.start.columns > MAX_COLUMNS {
            let line = dialect.start.rows.1;
            return Err(TableError::Columns { path: path.to_owned(), line, most: MAX_COLUMNS });
        }
        let given = dialect.start.names.as_deref().unwrap_or_default();
        let names = unique_names(given, dialect.start.columns);
        self.check_columns(&names)?;
        let kinds: Vec<Option<ColumnKind>> = names.iter().map(|name| self.kind_of(name)).collect();
        let scan = rows::scan(text, &dialect, &kinds, path)?;
        if scan.rows == 0 || names.is_empty() {
            return Err(TableError::Empty { path: path.to_owned(), skipped: dialect.start.skipped });
        }
        let columns = self.columns(text, &dialect, names, kinds, scan.numbers, path)?;
        Ok(Table {
            columns: columns.columns,
            rows: scan.rows,
            row_names: columns.row_names,
            lines: scan.lines,
            source: TableSource {
                path: path.to_owned(),
                compressed: source.compressed,
                format: TableFormat::Text {
                    encoding: source.encoding,
                    delimiter: dialect.layout.delimiter,
                    header: dialect.start.names.is_some(),
                    skipped: dialect.start.skipped,
                    short_rows: scan.short_rows,
                },
            },
        })
    }

    /// Whether the signs that were given can be what they are to be.
    fn check_options(&self) -> Result<(), TableError> {
        let delimiter = self.delimiter.map(|delimiter| ("delimiter", delimiter.byte()));
        let comment = self.comment.map(|comment| ("sign of comments", comment));
        let wrong = |byte: u8| !byte.is_ascii() || matches!(byte, b'\n' | b'\r' | b'"' | 0);
        match delimiter.into_iter().chain(comment).find(|&(_, byte)| wrong(byte)) {
            None => Ok(()),
            Some((option, byte)) => {
                let remedy = "use a sign of ASCII that is no quotation mark and no end of a line";
                Err(TableError::Option { option, found: byte.escape_ascii().to_string(), remedy })
            }
        }
    }

    /// Whether each column that has an option exists.
    fn check_columns(&self, names: &[String]) -> Result<(), TableError> {
        let missing = self.kinds.iter().find(|(wanted, _, required)| *required && !names.contains(wanted));
        missing.map_or(Ok(()), |(wanted, ..)| {
            let nearest = nearest_name(wanted, names.iter().map(String::as_str)).map(str::to_owned);
            Err(TableError::Column { path: self.path.clone(), wanted: wanted.clone(), nearest })
        })
    }

    fn kind_of(&self, name: &str) -> Option<ColumnKind> {
        self.kinds.iter().rev().find(|(known, ..)| known == name).map(|&(_, kind, _)| kind)
    }

    /// The columns: those that are plain numbers, and of the others what they are.
    fn columns(
        &self,
        text: &str,
        dialect: &Dialect,
        names: Vec<String>,
        kinds: Vec<Option<ColumnKind>>,
        numbers: Vec<Option<crate::values::Numbers>>,
        path: &Path,
    ) -> Result<Columns, TableError> {
        let wanted: Vec<bool> = numbers.iter().map(Option::is_none).collect();
        let texts = textual::collect(text, dialect, &wanted, path)?;
        let comma = decimal(self);
        let point_seen = || {
            numbers.iter().flatten().any(|numbers| numbers.values().iter().any(|value| value.fract() != 0.0))
        };
        let semicolons = dialect.layout.delimiter == Delimiter::Semicolon;
        let style = textual::FileStyle::find(texts.columns.iter().flatten(), comma, semicolons, point_seen);
        let mut numbers = numbers;
        let mut texts = texts;
        if style.comma_is_certain {
            // Then points in other columns separate thousands.
            let pointed: Vec<bool> = numbers.iter().map(Option::is_some).collect();
            let again = textual::collect(text, dialect, &pointed, path)?;
            for (column, other) in again.columns.into_iter().enumerate() {
                let Some(other) = other else { continue };
                if textual::has_grouping_points(&other) {
                    numbers[column] = None;
                    texts.columns[column] = Some(other);
                }
            }
        }
        let mut columns = Vec::with_capacity(names.len());
        for (column, (name, given)) in names.into_iter().zip(kinds).enumerate() {
            let read = match (numbers[column].take(), texts.columns[column].take()) {
                (Some(numbers), _) => {
                    let kind = given.unwrap_or_else(|| kinds::of_numbers(&name, &numbers));
                    typed::ReadColumn::new(ColumnData::Numbers(numbers), kind)
                }
                (None, texts) => {
                    let reading =
                        typed::Reading { style: &style, order: self.date_order, name: &name, kind: given };
                    typed::column(texts.unwrap_or_default(), reading).map_err(|wrong| TableError::Value {
                        path: path.to_owned(),
                        line: wrong.row.map_or(0, |row| rows::line_of(text, dialect, row)),
                        column: name.clone(),
                        text: wrong.text,
                        expected: wrong.expected,
                    })?
                }
            };
            let typed::ReadColumn { data, kind, style, is_date, ambiguous_dates, boolean_words } = read;
            columns.push(TableColumn { name, kind, data, style, is_date, ambiguous_dates, boolean_words });
        }
        Ok(Columns { columns, row_names: texts.row_names })
    }
}

struct Columns {
    columns: Vec<TableColumn>,
    row_names: Option<Texts>,
}

/// The sign between the decimals of numbers, if the reader was told.
fn decimal(reader: &TableReader) -> Option<Decimal> {
    reader.decimal_comma.map(|comma| if comma { Decimal::Comma } else { Decimal::Point })
}

/// The names of the columns: those that are given, each once, and `column 3` for one without.
fn unique_names(given: &[impl AsRef<str>], columns: usize) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(columns);
    // The next number for a name that occurs again, so that a header of one name many times takes no longer than others.
    let mut next: HashMap<String, usize> = HashMap::new();
    for column in 0..columns {
        let name = given.get(column).map(AsRef::as_ref).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("column {}", column + 1), str::to_owned);
        let mut unique = name.clone();
        while next.contains_key(&unique) {
            let count = next.entry(name.clone()).or_insert(0);
            *count += 1;
            unique = format!("{name}.{count}");
        }
        next.insert(unique.clone(), 0);
        names.push(unique);
    }
    names
}
