//! From a text to records of fields.

use csv::{ReaderBuilder, StringRecord};

use super::Delimiter;

/// What a text is cut into records by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Layout {
    pub(crate) delimiter: Delimiter,
    /// What fields may be put in.
    pub(crate) quote: Option<u8>,
    /// Whether a quotation mark in a field has a backslash before it, and is not doubled.
    pub(crate) backslash: bool,
    /// What lines begin with that are no records.
    pub(crate) comment: Option<u8>,
    /// Whether there are blanks between a delimiter and a quotation mark.
    pub(crate) blank_before_quote: bool,
}

/// A record of a text.
pub(crate) struct Record<'r> {
    /// Its line, from 1.
    pub(crate) line: u64,
    /// The byte at which it begins, or the blank lines before it.
    pub(crate) offset: usize,
    /// Its fields without blanks around them.
    pub(crate) fields: &'r [&'r str],
}

impl Layout {
    /// The byte between fields, once blanks have been normalised.
    fn separator(self) -> u8 {
        self.delimiter.byte()
    }

    /// Whether no record of this text has a field in quotes.
    pub(crate) fn is_unquoted(self, text: &str) -> bool {
        self.quote.is_none_or(|quote| memchr::memchr(quote, text.as_bytes()).is_none())
    }

    /// Calls `visit` with each record from `offset` on, which is in this line, until it returns an error. Empty lines and
    /// comments are no records.
    pub(crate) fn records<E>(
        self,
        text: &str,
        (offset, line): (usize, u64),
        visit: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.is_unquoted(&text[offset..]) {
            self.unquoted(text, (offset, line), visit)
        } else {
            self.quoted(text, (offset, line), visit)
        }
    }

    /// Whether a line is no record.
    fn is_skipped(self, line: &str) -> bool {
        let separator = self.separator();
        let blank = |byte: u8| byte.is_ascii_whitespace() && byte != separator;
        match line.as_bytes() {
            [] => true,
            [first, ..] if self.comment == Some(*first) => true,
            [first, ..] if !blank(*first) => false,
            bytes => bytes.iter().all(|&byte| blank(byte)),
        }
    }

    fn unquoted<E>(
        self,
        text: &str,
        (mut offset, mut number): (usize, u64),
        mut visit: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut fields = Vec::new();
        let bytes = text.as_bytes();
        while offset < bytes.len() {
            let end = memchr::memchr(b'\n', &bytes[offset..]).map_or(bytes.len(), |length| offset + length);
            let line = &text[offset..end];
            let line = line.strip_suffix('\r').unwrap_or(line);
            if !self.is_skipped(line) {
                fields.clear();
                self.split(line, &mut fields);
                visit(Record { line: number, offset, fields: &fields })?;
            }
            offset = end + 1;
            number += 1;
        }
        Ok(())
    }

    /// Adds the fields of a line without quotes.
    fn split<'t>(self, line: &'t str, fields: &mut Vec<&'t str>) {
        let mut start = 0;
        for end in memchr::memchr_iter(self.separator(), line.as_bytes()) {
            fields.push(line[start..end].trim_ascii());
            start = end + 1;
        }
        fields.push(line[start..].trim_ascii());
    }

    fn quoted<E>(
        self,
        text: &str,
        (offset, line): (usize, u64),
        mut visit: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.separator())
            .quoting(self.quote.is_some())
            .quote(self.quote.unwrap_or(b'"'))
            .double_quote(!self.backslash)
            .escape(self.backslash.then_some(b'\\'))
            .comment(self.comment)
            .from_reader(&text.as_bytes()[offset..]);
        let mut record = StringRecord::new();
        // The reader of a text in memory does not fail: all of it is UTF-8, and records may have any length.
        while reader.read_record(&mut record).unwrap_or(false) {
            let fields: Vec<&str> = record.iter().map(str::trim_ascii).collect();
            if fields.len() == 1 && fields[0].is_empty() {
                continue;
            }
            let (mut at, mut number) = record
                .position()
                .map_or((offset, line), |at| (offset + at.byte() as usize, line + at.line() - 1));
            // The reader's position is before the lines that it skips.
            for whole in text[at..].split_inclusive('\n') {
                if !self.is_skipped(whole.trim_end_matches(['\n', '\r'])) {
                    break;
                }
                at += whole.len();
                number += 1;
            }
            visit(Record { line: number, offset: at, fields: &fields })?;
        }
        Ok(())
    }

    /// Whether the text ends within quotes, where it begins with a record.
    pub(crate) fn ends_in_quotes(self, text: &str) -> bool {
        let Some(quote) = self.quote else { return false };
        let separator = self.separator();
        let (mut inside, mut at_start, mut escaped) = (false, true, false);
        let mut bytes = text.bytes().peekable();
        while let Some(byte) = bytes.next() {
            if escaped {
                escaped = false;
            } else if inside && self.backslash && byte == b'\\' {
                escaped = true;
            } else if inside && byte == quote {
                // A doubled mark is one of the field.
                if bytes.peek() == Some(&quote) && !self.backslash {
                    bytes.next();
                } else {
                    inside = false;
                }
            } else if !inside {
                inside = at_start && byte == quote;
                at_start = byte == separator || byte == b'\n' || byte == b'\r';
            }
        }
        inside
    }
}
