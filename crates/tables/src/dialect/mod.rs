//! How a file is written: what separates its fields, its quotes, where the table begins, and its header.

mod arff;
mod blanks;
mod delimiter;
mod header;
mod layout;

pub use delimiter::Delimiter;
pub(crate) use header::{Header, Start};
pub(crate) use layout::{Layout, Record};

use crate::{TableError, TableReader};

/// How many records at the beginning of a file are looked at to find out how it is written.
const SAMPLE: usize = 500;

/// How many columns a table may have, so that one of many short fields does not take many times the memory of its file.
pub(crate) const MAX_COLUMNS: usize = 1 << 17;

/// How many bytes are looked at, at most.
const SAMPLE_BYTES: usize = 1 << 18;

/// How a file is written, as far as it is needed to read it.
pub(crate) struct Dialect {
    pub(crate) layout: Layout,
    /// The text with one sign between fields, where the file has blanks in other places.
    pub(crate) normalised: Option<String>,
    pub(crate) start: Start,
    /// The texts that stand for a missing value besides those that always do.
    pub(crate) missing: Vec<String>,
}

/// Finds out how a text is written, but for what the reader was told.
///
/// # Errors
///
/// [`TableError::Format`] of one that is no table.
pub(crate) fn find(text: &str, reader: &TableReader) -> Result<Dialect, TableError> {
    if let Some(dialect) = arff::find(text, reader)? {
        return Ok(dialect);
    }
    let sample = sample(text);
    let mut layout = delimiter::find(sample, reader);
    let normalised = blanks::normalise(text, &mut layout);
    let start = header::find(normalised.as_deref().unwrap_or(text), layout, reader);
    Ok(Dialect { layout, normalised, start, missing: reader.missing.clone() })
}

/// Whole lines from the beginning.
fn sample(text: &str) -> &str {
    if text.len() <= SAMPLE_BYTES {
        return text;
    }
    let bytes = &text.as_bytes()[..SAMPLE_BYTES];
    match bytes.iter().rposition(|&byte| byte == b'\n') {
        Some(end) => &text[..=end],
        // A line that is longer than that.
        None => text.find('\n').map_or(text, |end| &text[..=end]),
    }
}
