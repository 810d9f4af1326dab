//! Where the table of a text begins, and whether it begins with the names of its columns.

use super::layout::{Layout, Record};
use super::{MAX_COLUMNS, SAMPLE};
use crate::TableReader;
use crate::values::number::{Decimal, plain, styled};
use crate::values::{DateOrder, boolean, date, missing};

/// Whether a file has a header, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Header {
    /// The first line is the header.
    First,
    /// No line is.
    None,
    /// This line is, from 1.
    Line(u64),
}

/// Where a table begins, and its columns.
#[derive(Debug)]
pub(crate) struct Start {
    /// The byte and the line at which the first row begins, or what is before it.
    pub(crate) rows: (usize, u64),
    /// The names of the columns, if there is a header.
    pub(crate) names: Option<Vec<String>>,
    /// The number of columns, without that of the names of rows.
    pub(crate) columns: usize,
    /// Whether each row has one more field, its name, before the others.
    pub(crate) row_names: bool,
    /// How many lines before the table are left out.
    pub(crate) skipped: usize,
}

/// A record of the sample.
struct Sampled {
    line: u64,
    offset: usize,
    fields: Vec<String>,
}

/// Finds the beginning of the table.
pub(super) fn find(text: &str, layout: Layout, reader: &TableReader) -> Start {
    let mut rows: Vec<Sampled> = Vec::new();
    let mut fields_seen = 0;
    // Comments are records here: the last of them may be the header.
    let all = Layout { comment: None, ..layout };
    let _ = all.records(text, (0, 1), |Record { line, offset, fields }| {
        let skipped = usize::try_from(line).is_ok_and(|line| line <= reader.skip);
        if !skipped {
            // One more than there may be, so that it is seen.
            fields_seen += fields.len();
            let fields = fields.iter().take(MAX_COLUMNS + 1).map(|&field| field.to_owned()).collect();
            rows.push(Sampled { line, offset, fields });
        }
        if rows.len() < SAMPLE && fields_seen < 200 * SAMPLE { Ok(()) } else { Err(()) }
    });
    let header_comment = layout.comment.and_then(|sign| take_comments(&mut rows, sign, layout, reader));
    let end = (text.len(), 1);
    let Some(width) = usual_width(&rows) else {
        return Start { rows: end, names: None, columns: 0, row_names: false, skipped: 0 };
    };
    let first = first_row(&rows, width, text, reader);
    let skipped = rows.get(first).map_or(0, |row| row.line as usize - 1);
    let place = |row: Option<&Sampled>| row.map_or(end, |row| (row.offset, row.line));
    let row_width = rows[first..].iter().map(|row| row.fields.len()).max().unwrap_or(width);
    if let Some(names) = header_comment.filter(|names| names.len() == width && first == 0) {
        let skipped = skipped.saturating_sub(1);
        return Start {
            rows: place(rows.get(first)),
            names: Some(names),
            columns: row_width,
            row_names: false,
            skipped,
        };
    }
    let has_header = match reader.header {
        Some(header) => header != Header::None,
        None => looks_like_header(&rows[first..], width),
    };
    if !has_header {
        return Start {
            rows: place(rows.get(first)),
            names: None,
            columns: row_width,
            row_names: false,
            skipped,
        };
    }
    let names = rows[first].fields.clone();
    let body = &rows[first + 1..];
    let next = match body.first() {
        Some(row) => (row.offset, row.line),
        None => end_of_record(text, layout, &rows[first]),
    };
    let longer = |row: &Sampled| row.fields.len() == names.len() + 1;
    let ends_empty = |row: &Sampled| !longer(row) || row.fields.last().is_some_and(String::is_empty);
    let row_names = !body.is_empty()
        && body.iter().filter(|row| longer(row)).count() * 10 >= body.len() * 9
        && !body.iter().all(ends_empty);
    Start { rows: next, columns: names.len(), names: Some(names), row_names, skipped }
}

/// Where the text goes on after a record.
fn end_of_record(text: &str, layout: Layout, record: &Sampled) -> (usize, u64) {
    let mut place = (text.len(), record.line);
    let mut count = 0;
    let _ = layout.records(text, (record.offset, record.line), |Record { line, offset, .. }| {
        count += 1;
        if count == 1 {
            return Ok(());
        }
        place = (offset, line);
        Err(())
    });
    place
}

/// Takes out the comments before the table and within it. If the last of those before the table is as long as its rows, and they
/// are no header themselves, it is the header.
fn take_comments(
    rows: &mut Vec<Sampled>,
    sign: u8,
    layout: Layout,
    reader: &TableReader,
) -> Option<Vec<String>> {
    let sign = char::from(sign);
    let is_comment = |row: &Sampled| row.fields[0].starts_with(sign);
    let before = rows.iter().take_while(|row| is_comment(row)).count();
    let last = before.checked_sub(1).map(|last| rows[last].fields.clone());
    rows.retain(|row| !is_comment(row));
    let mut names = last.filter(|_| reader.header.is_none() || reader.header == Some(Header::First))?;
    names[0] = names[0].trim_start_matches(sign).trim_ascii().to_owned();
    if names[0].is_empty() && layout.delimiter == super::Delimiter::Blanks {
        names.remove(0);
    }
    let width = usual_width(rows)?;
    let is_header = names.len() == width && width > 1 && !looks_like_header(rows, width);
    is_header.then_some(names)
}

/// The number of fields that most rows have; of several the largest.
fn usual_width(rows: &[Sampled]) -> Option<usize> {
    let mut counts: Vec<(usize, usize)> = Vec::new();
    for row in rows {
        match counts.iter_mut().find(|(_, width)| *width == row.fields.len()) {
            Some((count, _)) => *count += 1,
            None => counts.push((1, row.fields.len())),
        }
    }
    counts.into_iter().max().map(|(_, width)| width)
}

/// The index of the first row of the table: the first that is long enough, be it the header or not.
fn first_row(rows: &[Sampled], width: usize, text: &str, reader: &TableReader) -> usize {
    if let Some(Header::Line(line)) = reader.header {
        return rows.iter().position(|row| row.line >= line).unwrap_or(rows.len() - 1);
    }
    if reader.skip > 0 {
        return 0;
    }
    let long = rows.iter().position(|row| row.fields.len() >= width).unwrap_or(0);
    // A header without a name for the names of the rows is one field shorter.
    let names = long.checked_sub(1).filter(|&before| {
        let row = &rows[before];
        let words = row.fields.iter().all(|field| !field.is_empty() && Cell::of(field) == Cell::Word);
        width > 1 && row.fields.len() == width - 1 && words
    });
    let first = names.unwrap_or(long);
    let Some(next) = rows.get(first + 1) else { return first };
    let counts = is_counts_and_classes(&rows[first], width, text) || is_counts(&rows[first], next, text);
    if counts { first + 1 } else { first }
}

/// Whether a row is the number of rows, the number of features and the names of the classes, as in files of scikit-learn.
fn is_counts_and_classes(row: &Sampled, width: usize, text: &str) -> bool {
    let [samples, features, classes @ ..] = &row.fields[..] else { return false };
    let (Ok(samples), Ok(features)) = (samples.parse::<usize>(), features.parse::<usize>()) else {
        return false;
    };
    let words = classes.iter().all(|class| Cell::of(class) == Cell::Word);
    features < width && !classes.is_empty() && words && has_rows_after_one(&text[row.offset..], samples)
}

/// Whether a row is the number of rows and of columns, before the names of the columns, as in files of GeoDa.
fn is_counts(row: &Sampled, names: &Sampled, text: &str) -> bool {
    let counts: Vec<usize> = row.fields.iter().filter_map(|field| field.parse().ok()).collect();
    let [rows, columns] = counts[..] else { return false };
    let words = names.fields.iter().all(|name| Cell::of(name) == Cell::Word);
    if row.fields.len() != 2 || columns != names.fields.len() || !words {
        return false;
    }
    has_rows_after_one(&text[names.offset..], rows)
}

/// Whether so many rows follow the first. All of a file may be looked at for that, so it is asked last.
fn has_rows_after_one(text: &str, rows: usize) -> bool {
    let lines = text.lines().filter(|line| !line.trim_ascii().is_empty()).count();
    lines.checked_sub(1) == Some(rows)
}

/// What a field is, as far as headers are concerned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    Missing,
    Value,
    Word,
}

impl Cell {
    fn of(field: &str) -> Self {
        if field.is_empty() {
            return Self::Missing;
        }
        let value = plain(field).is_some()
            || missing::is_missing(field)
            || boolean::value(field).is_some_and(|_| field.len() > 1)
            || styled(field, Decimal::Point).is_some()
            || styled(field, Decimal::Comma).is_some()
            || date::days(field, DateOrder::MonthFirst).is_some()
            || date::days(field, DateOrder::DayFirst).is_some();
        if value { Self::Value } else { Self::Word }
    }
}

/// Whether the first of these rows has names where the others have values.
fn looks_like_header(rows: &[Sampled], width: usize) -> bool {
    let Some((first, body)) = rows.split_first() else { return false };
    let names = &first.fields;
    let cells: Vec<Cell> = names.iter().map(|name| Cell::of(name)).collect();
    if names.len() == width && names_rows(names, body) {
        return true;
    }
    if cells.iter().all(|&cell| cell != Cell::Word) {
        return false;
    }
    // The first field of the rows may have no name.
    let shift = usize::from(names.len() + 1 == width);
    let mut votes = 0i64;
    let mut repeated = false;
    let body = &body[..body.len().min(100)];
    for (column, (name, &cell)) in names.iter().zip(&cells).enumerate() {
        let fields =
            || body.iter().filter_map(|row| row.fields.get(column + shift)).filter(|field| !field.is_empty());
        let count = fields().count();
        let values = fields().filter(|field| Cell::of(field) == Cell::Value).count();
        // A few may be `?`, or words among numbers.
        let is_values = count > 0 && values * 10 >= count * 9;
        match cell {
            Cell::Word if is_values => votes += 1,
            Cell::Value if is_values => votes -= 1,
            Cell::Word => repeated |= fields().any(|field| field == name),
            _ => {}
        }
    }
    // Years, or other numbers in a row, as names.
    if votes < 0 && is_sequence(names) {
        return !repeated;
    }
    match votes {
        0 => {
            let mut sorted: Vec<&String> = names.iter().collect();
            sorted.sort();
            sorted.dedup();
            let distinct = sorted.len() == names.len();
            !repeated && distinct && cells.iter().all(|&cell| cell == Cell::Word || cell == Cell::Missing)
        }
        votes => votes > 0,
    }
}

/// Whether only the first of these names is empty, above words or numbers in a row: R and pandas write the names of rows so. The names of a
/// table of counts may be numbers too; those of its columns and of its rows then grow, or fall, and all else are whole numbers.
fn names_rows(names: &[String], body: &[Sampled]) -> bool {
    let [first, rest @ ..] = names else { return false };
    let mut sorted: Vec<&String> = rest.iter().collect();
    sorted.sort();
    sorted.dedup();
    let distinct = sorted.len() == rest.len() && rest.iter().all(|name| !name.is_empty());
    let below: Vec<&str> = body.iter().map(|row| &*row.fields[0]).collect();
    let words = below.iter().all(|field| Cell::of(field) == Cell::Word);
    let numbers: Vec<i64> = below.iter().filter_map(|field| field.parse().ok()).collect();
    let numbered = numbers.len() == below.len() && is_progression(&numbers, 1);
    let are_counts =
        || body.iter().all(|row| row.fields[1..].iter().all(|field| field.parse::<u64>().is_ok()));
    let of_counts =
        || is_monotone(rest.iter().map(String::as_str)) && is_monotone(below.iter().copied()) && are_counts();
    first.is_empty() && distinct && !below.is_empty() && (words || numbered || of_counts())
}

/// Whether the numbers among these are at least three, and each is one more than that before it; years may be further apart.
fn is_sequence(names: &[String]) -> bool {
    let numbers: Vec<i64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let values = names.iter().filter(|name| Cell::of(name) == Cell::Value).count();
    let years = numbers.iter().all(|year| (1000..3000).contains(year));
    let step = if years { numbers.get(1).zip(numbers.first()).map_or(1, |(b, a)| b - a) } else { 1 };
    numbers.len() >= 3 && numbers.len() == values && step > 0 && is_progression(&numbers, step)
}

/// Whether these are at least three numbers, each larger, or each smaller, than that before it.
fn is_monotone<'t>(fields: impl Iterator<Item = &'t str>) -> bool {
    let Some(numbers) = fields.map(plain).collect::<Option<Vec<f64>>>() else { return false };
    let all = |is: fn(&f64, &f64) -> bool| numbers.windows(2).all(|pair| is(&pair[0], &pair[1]));
    numbers.len() >= 3 && (all(f64::lt) || all(f64::gt))
}

fn is_progression(numbers: &[i64], step: i64) -> bool {
    numbers.windows(2).all(|pair| pair[0].checked_add(step) == Some(pair[1]))
}
