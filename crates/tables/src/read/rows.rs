//! The first walk through a file: its rows, and the columns that are plain numbers.

use std::path::Path;

use super::numeric::NumberBuilder;
use crate::column::ColumnKind;
use crate::dialect::{Dialect, Record};
use crate::table::Lines;
use crate::values::Numbers;
use crate::TableError;

/// What the first walk finds.
pub(super) struct Scan {
    pub(super) rows: usize,
    /// Of each column its numbers, if it is to be numbers and has nothing else.
    pub(super) numbers: Vec<Option<Numbers>>,
    pub(super) lines: Lines,
    /// How many rows have fewer fields than the table has columns.
    pub(super) short_rows: usize,
}

/// Walks through the rows.
pub(super) fn scan(
    text: &str,
    dialect: &Dialect,
    kinds: &[Option<ColumnKind>],
    path: &Path,
) -> Result<Scan, TableError> {
    let mut builders: Vec<NumberBuilder> = kinds.iter().map(|kind| builder(*kind)).collect();
    let (mut rows, mut short_rows, mut padded) = (0usize, 0usize, 0usize);
    let mut lines = Lines::default();
    let mut last = dialect.start.rows;
    walk(text, dialect, path, |record, fields| {
        last = (record.offset, record.line);
        if fields.len() < builders.len() {
            short_rows += 1;
            padded += builders.len() - fields.len();
            if padded > text.len() {
                return Err(TableError::ShortRows {
                    path: path.to_owned(),
                    line: record.line,
                    found: fields.len(),
                    columns: builders.len(),
                });
            }
        }
        let memory = || TableError::Memory { path: path.to_owned() };
        let (present, absent) = builders.split_at_mut(fields.len());
        for (builder, field) in present.iter_mut().zip(fields) {
            builder.push(field).ok_or_else(memory)?;
        }
        for builder in absent {
            builder.push("").ok_or_else(memory)?;
        }
        lines.push(rows, record.line);
        rows += 1;
        Ok(())
    })?;
    if dialect.layout.ends_in_quotes(&text[last.0..]) {
        return Err(TableError::Quote { path: path.to_owned(), line: last.1 });
    }
    let numbers = builders.into_iter().map(NumberBuilder::finish).collect();
    Ok(Scan { rows, numbers, lines, short_rows })
}

fn builder(kind: Option<ColumnKind>) -> NumberBuilder {
    match kind {
        None | Some(ColumnKind::Number | ColumnKind::Constant) => NumberBuilder::default(),
        Some(_) => NumberBuilder::failed(),
    }
}

/// Calls `visit` with each row: its record, and its fields without the name of the row, at most as many as there are columns.
pub(super) fn walk(
    text: &str,
    dialect: &Dialect,
    path: &Path,
    mut visit: impl FnMut(&Record<'_>, &[&str]) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let start = &dialect.start;
    dialect.layout.records(text, start.rows, |record| {
        let fields = &record.fields[usize::from(start.row_names)..];
        let (fields, rest) = fields.split_at(fields.len().min(start.columns));
        if rest.iter().any(|field| !field.is_empty()) {
            return Err(TableError::LongRow {
                path: path.to_owned(),
                line: record.line,
                found: record.fields.len(),
                columns: start.columns,
                delimiter: dialect.layout.delimiter.words(),
            });
        }
        visit(&record, fields)
    })
}

/// The line of a row.
pub(super) fn line_of(text: &str, dialect: &Dialect, row: usize) -> u64 {
    let (mut line, mut count) = (0, 0);
    let _ = dialect.layout.records(text, dialect.start.rows, |record| {
        line = record.line;
        count += 1;
        if count > row { Err(()) } else { Ok(()) }
    });
    line
}
