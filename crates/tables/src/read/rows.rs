//! The first walk through a file: its rows, and the columns that are plain numbers.

use std::path::Path;
use std::thread;

use super::numeric::NumberBuilder;
use crate::TableError;
use crate::column::ColumnKind;
use crate::dialect::{Dialect, Record};
use crate::table::Lines;
use crate::values::Numbers;

/// How many bytes a thread is worth.
const BYTES_PER_THREAD: usize = 4 << 20;

/// What the first walk finds.
pub(super) struct Scan {
    pub(super) rows: usize,
    /// Of each column its numbers, if it is to be numbers and has nothing else.
    pub(super) numbers: Vec<Option<Numbers>>,
    pub(super) lines: Lines,
    /// How many rows have fewer fields than the table has columns.
    pub(super) short_rows: usize,
}

/// A part of a text, from a byte in a line to a byte.
#[derive(Clone, Copy)]
struct Part {
    start: (usize, u64),
    end: usize,
}

/// What the walk through a part finds.
struct PartScan {
    builders: Vec<NumberBuilder>,
    /// The line of each row, where it is not just after that of the row before it.
    breaks: Vec<(usize, u64)>,
    rows: usize,
    short_rows: usize,
    /// How many fields the short rows lack.
    padded: usize,
    /// The last record.
    last: (usize, u64),
}

/// Walks through the rows, with a thread for each part of a large text, as far as the system provides them.
pub(super) fn scan(
    text: &str,
    dialect: &Dialect,
    kinds: &[Option<ColumnKind>],
    path: &Path,
) -> Result<Scan, TableError> {
    let parts = parts(text, dialect);
    let walk = |part| scan_part(text, part, dialect, kinds, path);
    let results: Vec<Result<PartScan, TableError>> = match &*parts {
        [part] => vec![walk(*part)],
        parts => thread::scope(|scope| {
            let spawn = |&part| (part, thread::Builder::new().spawn_scoped(scope, move || walk(part)));
            let threads: Vec<_> = parts.iter().map(spawn).collect();
            let join = |(part, thread): (_, std::io::Result<thread::ScopedJoinHandle<'_, _>>)| match thread {
                Ok(thread) => thread.join().expect("a walk does not panic"),
                Err(_) => walk(part),
            };
            threads.into_iter().map(join).collect()
        }),
    };
    let mut whole: Option<PartScan> = None;
    for result in results {
        let part = result?;
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => whole.append(part),
        }
    }
    let whole = whole.expect("there is a part");
    if dialect.layout.ends_in_quotes(&text[whole.last.0..]) {
        return Err(TableError::Quote { path: path.to_owned(), line: whole.last.1 });
    }
    let mut lines = Lines::default();
    whole.breaks.iter().for_each(|&(row, line)| lines.push(row, line));
    let numbers = whole.builders.into_iter().map(NumberBuilder::finish).collect();
    Ok(Scan { rows: whole.rows, numbers, lines, short_rows: whole.short_rows })
}

impl PartScan {
    /// Adds the part that follows.
    fn append(&mut self, next: Self) {
        for (builder, next) in self.builders.iter_mut().zip(next.builders) {
            builder.append(next);
        }
        self.breaks.extend(next.breaks.into_iter().map(|(row, line)| (self.rows + row, line)));
        self.rows += next.rows;
        self.short_rows += next.short_rows;
        self.padded += next.padded;
        self.last = next.last;
    }
}

/// The parts of a text, which begin with a line. A text with quotes is one part, since a line may be within a field.
fn parts(text: &str, dialect: &Dialect) -> Vec<Part> {
    let (start, line) = dialect.start.rows;
    let rest = &text[start..];
    let threads = thread::available_parallelism().map_or(1, usize::from).min(rest.len() / BYTES_PER_THREAD);
    if threads < 2 || !dialect.layout.is_unquoted(rest) {
        return vec![Part { start: (start, line), end: text.len() }];
    }
    let mut parts = Vec::with_capacity(threads);
    let mut begin = (start, line);
    for index in 1..=threads {
        let aim = (start + rest.len() / threads * index).max(begin.0);
        // Bytes, since the aim may be within a letter.
        let line_end = memchr::memchr(b'\n', &text.as_bytes()[aim..]).map(|end| aim + end + 1);
        let end = line_end.filter(|_| index < threads).unwrap_or(text.len());
        parts.push(Part { start: begin, end });
        let lines = text.as_bytes()[begin.0..end].iter().filter(|&&byte| byte == b'\n').count();
        begin = (end, begin.1 + lines as u64);
    }
    parts
}

fn scan_part(
    text: &str,
    part: Part,
    dialect: &Dialect,
    kinds: &[Option<ColumnKind>],
    path: &Path,
) -> Result<PartScan, TableError> {
    let builders: Vec<NumberBuilder> = kinds.iter().map(|kind| builder(*kind)).collect();
    let mut scan =
        PartScan { builders, breaks: Vec::new(), rows: 0, short_rows: 0, padded: 0, last: part.start };
    let mut expected = None;
    walk_part(text, part, dialect, path, |record, fields| {
        scan.last = (record.offset, record.line);
        let columns = scan.builders.len();
        if fields.len() < columns {
            scan.short_rows += 1;
            scan.padded += columns - fields.len();
            if scan.padded > text.len() {
                let (line, found) = (record.line, fields.len());
                return Err(TableError::ShortRows { path: path.to_owned(), line, found, columns });
            }
        }
        let memory = || TableError::Memory { path: path.to_owned() };
        let (present, absent) = scan.builders.split_at_mut(fields.len());
        for (builder, field) in present.iter_mut().zip(fields) {
            builder.push(field).ok_or_else(memory)?;
        }
        for builder in absent {
            builder.push("").ok_or_else(memory)?;
        }
        if expected != Some(record.line) {
            scan.breaks.push((scan.rows, record.line));
        }
        expected = Some(record.line + 1);
        scan.rows += 1;
        Ok(())
    })?;
    Ok(scan)
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
    visit: impl FnMut(&Record<'_>, &[&str]) -> Result<(), TableError>,
) -> Result<(), TableError> {
    walk_part(text, Part { start: dialect.start.rows, end: text.len() }, dialect, path, visit)
}

fn walk_part(
    text: &str,
    part: Part,
    dialect: &Dialect,
    path: &Path,
    mut visit: impl FnMut(&Record<'_>, &[&str]) -> Result<(), TableError>,
) -> Result<(), TableError> {
    let start = &dialect.start;
    dialect.layout.records(&text[..part.end], part.start, |record| {
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
        if dialect.missing.is_empty() {
            return visit(&record, fields);
        }
        let is_missing = |field: &str| dialect.missing.iter().any(|missing| missing == field);
        let fields: Vec<&str> =
            fields.iter().map(|&field| if is_missing(field) { "" } else { field }).collect();
        visit(&record, &fields)
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
