//! Zip archives, with limits on what is unpacked.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::format::FormatError;

/// An archive in memory, and how many more bytes may be unpacked from it.
pub(crate) struct Archive<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    format: &'static str,
    left: u64,
}

/// How many bytes may be unpacked from any archive, and how many more for each byte of it. Numbers of weights are hardly ever
/// compressed to less than a half; what is far smaller is zeros, or made to fill the memory.
const ALLOWED: (u64, u64) = (1 << 24, 16);

impl<'a> Archive<'a> {
    /// That of these bytes, in which names are unique and no two members share bytes.
    pub(crate) fn open(bytes: &'a [u8], format: &'static str) -> Result<Self, FormatError> {
        let wrong = |error: zip::result::ZipError| FormatError::new(format, error.to_string());
        let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(wrong)?;
        if zip.has_duplicate_names() {
            return Err(FormatError::new(format, "two members of the archive have the same name"));
        }
        if zip.has_overlapping_entries().map_err(wrong)? {
            return Err(FormatError::new(format, "two members of the archive share bytes"));
        }
        let (once, each) = ALLOWED;
        Ok(Self { zip, format, left: (bytes.len() as u64).saturating_mul(each).saturating_add(once) })
    }

    /// The names of its members.
    pub(crate) fn names(&self) -> Result<Vec<String>, FormatError> {
        let names = self.zip.file_names().map(|name| name.map(std::borrow::Cow::into_owned));
        names.collect::<Result<_, _>>().map_err(|error| FormatError::new(self.format, error.to_string()))
    }

    /// The bytes of a member.
    pub(crate) fn member(&mut self, name: &str) -> Result<Vec<u8>, FormatError> {
        let format = self.format;
        let wrong = |problem: String| FormatError::new(format, format!("{name}: {problem}"));
        let file = self.zip.by_name(name).map_err(|error| wrong(error.to_string()))?;
        let mut bytes = Vec::new();
        let read = file.take(self.left.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| wrong(error.to_string()))?;
        let length = bytes.len() as u64;
        let too_large =
            || wrong("it is unpacked to far more than its archive has bytes; save it uncompressed".into());
        self.left = self.left.checked_sub(length).ok_or_else(too_large)?;
        Ok(bytes)
    }
}
