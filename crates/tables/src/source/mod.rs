//! From a file to its text.

mod encoding;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

pub use encoding::Encoding;

use crate::TableError;

/// A compressed file may hold this many times its bytes: tables rarely hold more than thirty times.
const MAX_EXPANSION: usize = 250;

/// However small a compressed file is, it may hold this many bytes.
const ALWAYS_ALLOWED: usize = 16 << 20;

/// The text of a file.
pub(crate) struct SourceText {
    /// The text, whose lines end with `\n` or `\r\n`.
    pub(crate) text: String,
    pub(crate) encoding: Encoding,
    pub(crate) compressed: bool,
}

/// The bytes of a file.
pub(crate) fn bytes(path: &Path) -> Result<Vec<u8>, TableError> {
    let io = |source| TableError::Io { path: path.to_owned(), source };
    read_all(File::open(path).map_err(io)?, usize::MAX).map_err(|failure| failure.at(path, io))
}

/// The text of a file with these bytes, which are decompressed if they are compressed, and decoded.
pub(crate) fn text(
    path: &Path,
    bytes: Vec<u8>,
    encoding: Option<Encoding>,
) -> Result<SourceText, TableError> {
    let compressed = bytes.starts_with(&[0x1F, 0x8B]);
    let bytes = if compressed {
        let limit = bytes.len().saturating_mul(MAX_EXPANSION).max(ALWAYS_ALLOWED);
        let gzip = |source| TableError::Gzip { path: path.to_owned(), source };
        read_all(MultiGzDecoder::new(&bytes[..]), limit).map_err(|failure| failure.at(path, gzip))?
    } else {
        bytes
    };
    if let Some((found, remedy)) = not_text(&bytes) {
        return Err(TableError::Format { path: path.to_owned(), found, remedy });
    }
    let (encoding, text) = match encoding {
        Some(encoding) => (encoding, encoding.decode(bytes)),
        None => Encoding::detect(bytes),
    };
    if memchr::memchr(0, text.as_bytes()).is_some() {
        let (found, remedy) = ("binary", "give its encoding if it is a text after all, or export it as CSV");
        return Err(TableError::Format { path: path.to_owned(), found, remedy });
    }
    // The line ends of the classic Mac OS.
    let text = if text.contains('\n') || !text.contains('\r') { text } else { text.replace('\r', "\n") };
    Ok(SourceText { text, encoding, compressed })
}

/// Why bytes cannot be read.
enum Failure {
    Io(io::Error),
    Memory,
    Limit,
}

impl Failure {
    fn at(self, path: &Path, io: impl Fn(io::Error) -> TableError) -> TableError {
        let path = path.to_owned();
        match self {
            Self::Io(error) => io(error),
            Self::Memory => TableError::Memory { path },
            Self::Limit => {
                let found = "a gzip file that holds more than 250 times its own bytes";
                TableError::Format { path, found, remedy: "decompress it first if it is to be trusted" }
            }
        }
    }
}

/// All bytes, in memory that grows with them and can be refused.
fn read_all(mut from: impl Read, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    loop {
        let more = bytes.len().clamp(1 << 16, 1 << 26);
        bytes.try_reserve(more).map_err(|_| Failure::Memory)?;
        let read = from.by_ref().take(more as u64).read_to_end(&mut bytes).map_err(Failure::Io)?;
        if bytes.len() > limit {
            return Err(Failure::Limit);
        }
        if read < more {
            return Ok(bytes);
        }
    }
}

/// What a file is that begins with these bytes, and what to do, if it is a known format that is no text.
fn not_text(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let known: [(&[u8], _, _); 7] = [
        (b"PK\x03\x04", "a zip archive, as spreadsheets are", "unpack it, or save the sheet as CSV"),
        (b"\xD0\xCF\x11\xE0", "an old spreadsheet", "save the sheet as CSV"),
        (b"PAR1", "a Parquet file that is compressed as a whole", "decompress it"),
        (b"BZh", "compressed with bzip2", "decompress it, or compress it with gzip"),
        (b"\xFD7zXZ", "compressed with xz", "decompress it, or compress it with gzip"),
        (b"\x28\xB5\x2F\xFD", "compressed with zstd", "decompress it, or compress it with gzip"),
        (b"%PDF", "a PDF", "export the table as CSV"),
    ];
    let found = known.iter().find(|(magic, ..)| bytes.starts_with(magic));
    found.map(|&(_, found, remedy)| (found, remedy))
}
