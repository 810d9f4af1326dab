//! Texts whose fields are separated by any number of blanks, or have blanks before their quotation marks.

use super::{Delimiter, Layout};

/// The text with one tab between fields, or without the blanks before quotation marks; `None` if it can be read as it is.
/// Lines stay lines.
pub(super) fn normalise(text: &str, layout: &mut Layout) -> Option<String> {
    let separator = match layout.delimiter {
        Delimiter::Blanks => None,
        _ if layout.blank_before_quote => Some(layout.delimiter.byte()),
        _ => return None,
    };
    let mut out = String::with_capacity(text.len());
    let lines = Lines { text, quote: layout.quote };
    for line in lines {
        match separator {
            None => squeeze(line, layout.quote, &mut out),
            Some(separator) => strip(line, separator, layout.quote, &mut out),
        }
    }
    Some(out)
}

/// The lines of a text with their ends, where a field in quotes may span several.
struct Lines<'a> {
    text: &'a str,
    quote: Option<u8>,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.text.is_empty() {
            return None;
        }
        let mut inside = false;
        let end = self.text.bytes().position(|byte| {
            inside ^= Some(byte) == self.quote;
            byte == b'\n' && !inside
        });
        // If the quotes never close, they were none.
        let end = end.or_else(|| self.text.find('\n')).map_or(self.text.len(), |end| end + 1);
        let (line, rest) = self.text.split_at(end);
        self.text = rest;
        Some(line)
    }
}

fn squeeze(line: &str, quote: Option<u8>, out: &mut String) {
    let content = line.trim_end_matches(['\n', '\r']);
    let mut rest = content.trim_ascii();
    while !rest.is_empty() {
        let end = field_end(rest, quote, |byte| matches!(byte, b' ' | b'\t'));
        out.push_str(&rest[..end]);
        rest = rest[end..].trim_ascii_start();
        if !rest.is_empty() {
            out.push('\t');
        }
    }
    out.push_str(&line[content.len()..]);
}

fn strip(line: &str, separator: u8, quote: Option<u8>, out: &mut String) {
    let content = line.trim_end_matches(['\n', '\r']);
    let mut rest = content;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        if trimmed.bytes().next() == quote {
            rest = trimmed;
        }
        let end = field_end(rest, quote, |byte| byte == separator);
        out.push_str(&rest[..end]);
        if end == rest.len() {
            break;
        }
        out.push(char::from(separator));
        rest = &rest[end + 1..];
    }
    out.push_str(&line[content.len()..]);
}

/// Where the field that a text begins with ends.
fn field_end(text: &str, quote: Option<u8>, is_separator: impl Fn(u8) -> bool) -> usize {
    let mut inside = text.bytes().next() == quote && quote.is_some();
    let skipped = usize::from(inside);
    let end = text.bytes().skip(skipped).position(|byte| {
        if Some(byte) == quote && skipped > 0 {
            inside = !inside;
        }
        !inside && is_separator(byte)
    });
    end.map_or(text.len(), |end| end + skipped)
}
