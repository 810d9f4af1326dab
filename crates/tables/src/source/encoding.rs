//! How letters are stored as bytes.

use std::fmt;

/// How the letters of a file are stored as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16, the lower byte first.
    Utf16Le,
    /// UTF-16, the higher byte first.
    Utf16Be,
    /// Latin-1, with the letters that Windows-1252 has between 0x80 and 0x9F.
    Latin1,
}

/// The letters of Windows-1252 from 0x80 to 0x9F; those that it leaves out are control characters, as in Latin-1.
#[rustfmt::skip]
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8D}', 'Ž', '\u{8F}',
    '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9D}', 'ž', 'Ÿ',
];

impl Encoding {
    /// Decodes bytes in the encoding that they are in: by their byte order mark, by the zeros that UTF-16 has between Latin letters, or
    /// UTF-8 if they can be.
    pub(crate) fn detect(bytes: Vec<u8>) -> (Self, String) {
        if let Some(encoding) = Self::of_wide(&bytes) {
            return (encoding, encoding.decode(bytes));
        }
        match String::from_utf8(bytes) {
            Ok(text) => (Self::Utf8, without_mark(text)),
            Err(error) => (Self::Latin1, Self::Latin1.decode(error.into_bytes())),
        }
    }

    /// Which UTF-16 these bytes are.
    fn of_wide(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xFE, ..] => return Some(Self::Utf16Le),
            [0xFE, 0xFF, ..] => return Some(Self::Utf16Be),
            _ => {}
        }
        let pairs = bytes.chunks_exact(2).take(512);
        let (mut first, mut second, total) = (0, 0, pairs.len());
        for pair in pairs {
            first += usize::from(pair[0] == 0);
            second += usize::from(pair[1] == 0);
        }
        match (first, second) {
            (0, second) if total > 0 && second * 10 >= total * 9 => Some(Self::Utf16Le),
            (first, 0) if total > 0 && first * 10 >= total * 9 => Some(Self::Utf16Be),
            _ => None,
        }
    }

    /// The text of these bytes without its byte order mark; what the encoding does not have becomes U+FFFD.
    pub(crate) fn decode(self, bytes: Vec<u8>) -> String {
        let text = match self {
            Self::Utf8 => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
            Self::Utf16Le => utf16(&bytes, u16::from_le_bytes),
            Self::Utf16Be => utf16(&bytes, u16::from_be_bytes),
            Self::Latin1 => bytes.iter().map(|&byte| latin1(byte)).collect(),
        };
        without_mark(text)
    }
}

/// The text without a byte order mark.
fn without_mark(mut text: String) -> String {
    if text.starts_with('\u{FEFF}') {
        text.drain(..'\u{FEFF}'.len_utf8());
    }
    text
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn latin1(byte: u8) -> char {
    match byte {
        0x80..=0x9F => WINDOWS[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16 (little endian)",
            Self::Utf16Be => "UTF-16 (big endian)",
            Self::Latin1 => "Latin-1",
        })
    }
}
