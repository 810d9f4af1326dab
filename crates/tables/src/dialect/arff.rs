//! Files of Weka and OpenML (ARFF): lines that name the columns, and then rows as of CSV.
//!
//! Format: <https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable/>.

use super::{Delimiter, Dialect, Layout, Start, blanks};
use crate::{TableError, TableReader};

/// How a text is written that begins as such a file does; `None` of others, and where the reader was told where the table begins.
pub(super) fn find(text: &str, reader: &TableReader) -> Result<Option<Dialect>, TableError> {
    let is_told = reader.header.is_some() || reader.skip > 0 || reader.delimiter.is_some();
    if is_told || statements(text).next().is_none_or(|(_, line)| after_keyword(line, "@relation").is_none()) {
        return Ok(None);
    }
    let Some((data, _)) = statements(text).find(|(_, line)| after_keyword(line, "@data").is_some()) else {
        return Ok(None);
    };
    let begin = text[data..].find('\n').map_or(text.len(), |end| data + end + 1);
    let rows = &text[begin..];
    if statements(rows).next().is_some_and(|(_, line)| line.starts_with('{')) {
        let (found, remedy) = ("an ARFF file of sparse rows", "save it with dense rows, or as CSV");
        return Err(TableError::Format { path: reader.path.clone(), found, remedy });
    }
    let delimiter = if rows.contains(',') { Delimiter::Comma } else { Delimiter::Tab };
    let mut layout = Layout {
        delimiter,
        quote: reader.quotes.then(|| quote_of(rows)),
        backslash: true,
        comment: reader.comment.or(Some(b'%')),
        blank_before_quote: rows.contains(", '") || rows.contains(", \""),
    };
    // Lines stay lines.
    let skipped = text[..begin].lines().count();
    let normalised = blanks::normalise(rows, &mut layout).map(|rows| format!("{}{rows}", &text[..begin]));
    let names: Vec<String> = statements(&text[..data])
        .filter_map(|(_, line)| Some(name(after_keyword(line, "@attribute")?)))
        .collect();
    if names.is_empty() {
        let (found, remedy) =
            ("an ARFF file that declares no columns", "add a line `@attribute NAME KIND` for each");
        return Err(TableError::Format { path: reader.path.clone(), found, remedy });
    }
    let mut missing = reader.missing.clone();
    missing.push("?".to_owned());
    let start = Start {
        rows: (begin, skipped as u64 + 1),
        columns: names.len(),
        names: Some(names),
        row_names: false,
        skipped,
    };
    Ok(Some(Dialect { layout, normalised, start, missing }))
}

/// The quote that is the first to begin a field; `"` if there is none.
fn quote_of(rows: &str) -> u8 {
    let is_between = |c: char| c == ',' || c.is_ascii_whitespace();
    let begins = |line: &str| {
        let fields = line.split(is_between).filter_map(|field| field.bytes().next());
        fields.into_iter().find(|first| matches!(first, b'\'' | b'"'))
    };
    statements(rows).find_map(|(_, line)| begins(line)).unwrap_or(b'"')
}

/// The lines that are no comments, each with the byte at which it begins, without blanks around it.
fn statements(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut offset = 0;
    let lines = text.split_inclusive('\n').map(move |line| {
        offset += line.len();
        (offset - line.len(), line.trim_ascii())
    });
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('%'))
}

/// What follows a keyword, in whatever case, that a line begins with.
fn after_keyword<'t>(line: &'t str, keyword: &str) -> Option<&'t str> {
    let (begin, rest) = line.split_at_checked(keyword.len())?;
    let ends = rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace());
    (begin.eq_ignore_ascii_case(keyword) && ends).then(|| rest.trim_ascii_start())
}

/// The name of a column, which its kind follows: up to a blank or a list of values, or in quotes.
fn name(declared: &str) -> String {
    let mut chars = declared.chars();
    let Some(quote) = chars.next().filter(|first| matches!(first, '\'' | '"')) else {
        let is_end = |c: char| c == '{' || c.is_ascii_whitespace();
        return declared.split(is_end).next().unwrap_or_default().to_owned();
    };
    let mut name = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => name.extend(chars.next()),
            c if c == quote => break,
            c => name.push(c),
        }
    }
    name
}
