//! What separates the fields of a text.

use super::layout::{Layout, Record};
use super::{SAMPLE, blanks};
use crate::TableReader;
use crate::values::number::{Decimal, plain, styled};
use crate::values::{DateOrder, date, missing};

/// What separates fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delimiter {
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Bar,
    /// Any number of spaces and tabs.
    Blanks,
    /// Another sign of ASCII.
    Other(u8),
}

impl Delimiter {
    /// Those that are found without being given.
    const KNOWN: [Self; 5] = [Self::Comma, Self::Tab, Self::Semicolon, Self::Bar, Self::Blanks];

    /// The byte between fields, once blanks have been normalised.
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab | Self::Blanks => b'\t',
            Self::Bar => b'|',
            Self::Other(byte) => byte,
        }
    }

    /// In words, for errors and lists.
    pub fn words(self) -> &'static str {
        match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
            Self::Bar => "bars",
            Self::Blanks => "blanks",
            Self::Other(_) => "the given sign",
        }
    }
}

/// A comma is a comma, `b' '` any number of blanks.
impl From<u8> for Delimiter {
    fn from(byte: u8) -> Self {
        let known = Self::KNOWN[..4].iter().copied().find(|known| known.byte() == byte);
        match byte {
            b' ' => Self::Blanks,
            _ => known.unwrap_or(Self::Other(byte)),
        }
    }
}

/// The layout of a text: as given, and for the rest the delimiter that makes the most regular rows of the most numbers, dates and
/// words (van den Burg, Nazábal and Sutton 2019).
pub(super) fn find(sample: &str, reader: &TableReader) -> Layout {
    let quote = quote(sample, reader);
    let mut best = (f64::NEG_INFINITY, None);
    let given = reader.delimiter.map(|given| [given]);
    let candidates: &[Delimiter] = given.as_ref().map_or(&Delimiter::KNOWN[..], |given| &given[..]);
    for &delimiter in candidates {
        let layout = layout(sample, delimiter, reader, quote);
        let score = score(sample, layout);
        if score > best.0 {
            best = (score, Some(layout));
        }
    }
    best.1.expect("there is a candidate")
}

fn layout(sample: &str, delimiter: Delimiter, reader: &TableReader, quote: Option<u8>) -> Layout {
    let byte = char::from(delimiter.byte());
    let mut backslash = false;
    let mut blank_before_quote = false;
    if let Some(quote) = quote.map(char::from) {
        let doubled = sample.contains(&format!("{quote}{quote}"));
        let escaped = sample.match_indices(&format!("\\{quote}")).any(|(at, escaped)| {
            let next = sample[at + escaped.len()..].chars().next();
            next.is_some_and(|next| next != byte && next != '\n' && next != '\r')
        });
        backslash = escaped && !doubled;
        blank_before_quote = delimiter != Delimiter::Blanks && sample.contains(&format!("{byte} {quote}"));
    }
    let comment = reader.comment.or_else(|| comment(sample));
    Layout { delimiter, quote, backslash, comment, blank_before_quote }
}

/// `"`, or `'` where the first line begins with it and `"` occurs nowhere.
fn quote(sample: &str, reader: &TableReader) -> Option<u8> {
    if !reader.quotes {
        return None;
    }
    let first = sample.lines().find(|line| !line.trim_ascii().is_empty()).unwrap_or_default();
    let single = first.starts_with('\'') && first.matches('\'').count() % 2 == 0 && !sample.contains('"');
    Some(if single { b'\'' } else { b'"' })
}

/// The sign that the first line begins with, if it is one of comments.
fn comment(sample: &str) -> Option<u8> {
    let first = sample.lines().map(str::trim_ascii_start).find(|line| !line.is_empty())?;
    first.bytes().next().filter(|sign| matches!(sign, b'#' | b'%'))
}

/// How regular the rows are that a layout makes of a text, from 0 to 1, times the part of the fields that are something.
fn score(sample: &str, mut layout: Layout) -> f64 {
    let normalised = blanks::normalise(sample, &mut layout);
    let text = normalised.as_deref().unwrap_or(sample);
    let mut counts: Vec<(usize, usize)> = Vec::new();
    let (mut rows, mut fields, mut known, mut texts) = (0usize, 0usize, 0usize, 0usize);
    // The sample ends where it has given enough.
    let _ = layout.records(text, (0, 1), |Record { fields: row, .. }| {
        match counts.iter_mut().find(|(length, _)| *length == row.len()) {
            Some((_, count)) => *count += 1,
            None => counts.push((row.len(), 1)),
        }
        rows += 1;
        // So that a text with very many fields is no more work than others.
        for field in row.iter().take(1000) {
            fields += 1;
            match kind(field) {
                Some(Kind::Value) => known += 1,
                Some(Kind::Word) => {
                    known += 1;
                    texts += 1;
                }
                None => texts += 1,
            }
        }
        if rows < SAMPLE && fields < 20 * SAMPLE { Ok(()) } else { Err(()) }
    });
    if rows == 0 {
        return 0.0;
    }
    // Words with blanks between them are a text, not a table.
    if layout.delimiter == Delimiter::Blanks && texts * 2 > fields {
        return 0.0;
    }
    let regular: f64 = counts
        .iter()
        .map(|&(length, count)| {
            let share = count as f64 / rows as f64;
            share * share * (length - 1) as f64 / length as f64
        })
        .sum();
    let known = (known as f64 / fields as f64).max(0.05);
    match layout.delimiter {
        // Blanks are within fields more often than between them.
        Delimiter::Blanks if whole_lines_are_values(sample) => 0.0,
        Delimiter::Blanks => 0.9 * regular * known,
        _ => regular * known,
    }
}

/// Whether each line is one value, such as a date with its time.
fn whole_lines_are_values(sample: &str) -> bool {
    let mut lines =
        sample.lines().map(str::trim_ascii).filter(|line| !line.is_empty()).skip(1).take(50).peekable();
    lines.peek().is_some() && lines.all(|line| matches!(kind(line), Some(Kind::Value)))
}

enum Kind {
    Value,
    Word,
}

/// What a field is, if it is a number, a date, missing, or a text without signs that could be delimiters.
fn kind(field: &str) -> Option<Kind> {
    let value = missing::is_missing_number(field)
        || plain(field).is_some()
        || styled(field, Decimal::Point).is_some()
        || styled(field, Decimal::Comma).is_some()
        || date::days(field, DateOrder::MonthFirst).is_some()
        || date::days(field, DateOrder::DayFirst).is_some();
    if value {
        return Some(Kind::Value);
    }
    (!field.contains([',', ';', '\t', '|', '"'])).then_some(Kind::Word)
}
