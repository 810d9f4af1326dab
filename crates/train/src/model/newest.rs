//! The newest checkpoint that is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::file::{FileError, read_with_version};

/// A checkpoint that was read, and the newer ones that could not be.
#[derive(Debug)]
pub struct Newest<P = Vec<u8>> {
    /// The file.
    pub path: PathBuf,
    /// What it holds.
    pub contents: Contents<P>,
    /// Whether it says of its setup what a file that is written today does.
    pub(crate) same_setup: bool,
    /// What is wrong with the files that are newer.
    pub passed_over: Vec<FileError>,
}

/// Reads the newest file that is whole: the one with this name, or, if that is damaged or missing, the first good one of those that
/// [`write_keeping`](super::file::write_keeping) has kept before it.
///
/// # Errors
///
/// Why the file with this name cannot be used, if none of the others can. A file that is whole, but of another version, is not passed
/// over.
pub fn newest(path: &Path) -> Result<Newest, FileError> {
    newest_by(path, read_with_version)
}

/// As [`newest()`], with files that `read` reads.
pub(crate) fn newest_by<P>(
    path: &Path,
    read: impl Fn(&Path) -> Result<(Contents<P>, bool), FileError>,
) -> Result<Newest<P>, FileError> {
    let mut passed_over = Vec::new();
    let kept = numbered(path).into_iter().map(|(_, path)| path);
    for path in std::iter::once(path.to_owned()).chain(kept) {
        match read(&path) {
            Ok((contents, same_setup)) => return Ok(Newest { path, contents, same_setup, passed_over }),
            Err(error) if is_broken(&error) => passed_over.push(error),
            Err(error) => return Err(error),
        }
    }
    Err(passed_over.swap_remove(0))
}

/// The numbers and paths of the older files that were kept with the one of this name, the newest first: with `.1` appended to the
/// name, then `.2`.
pub fn numbered(path: &Path) -> Vec<(u32, PathBuf)> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(name), Ok(entries)) = (path.file_name(), fs::read_dir(directory)) else { return Vec::new() };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| {
            let other = entry.file_name();
            let ending = other.as_encoded_bytes().strip_prefix(name.as_encoded_bytes())?;
            let digits = std::str::from_utf8(ending).ok()?.strip_prefix('.')?;
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            let number = plain.then(|| digits.parse().ok()).flatten()?;
            Some((number, path.with_file_name(other)))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Whether a file is missing, or is not what was written.
fn is_broken(error: &FileError) -> bool {
    match error {
        FileError::Io { source, .. } => source.kind() == io::ErrorKind::NotFound,
        FileError::NotAModel { .. }
        | FileError::Length { .. }
        | FileError::Damaged { .. }
        | FileError::Contents { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_files_are_found_in_their_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run");
        for name in
            ["run", "run.10", "run.2", "run.1", "run.01", "run.x", "run.1.tmp", "run.99999999999", "other.1"]
        {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let numbers: Vec<u32> = numbered(&path).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 2, 10]);
        assert!(numbered(Path::new("nowhere/run")).is_empty());
        assert!(numbered(Path::new("..")).is_empty());
    }
}
