//! What the readers and writers of files have in common: errors, and whole files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes that are not a file of a format, or one that is not read here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it cannot be read as {format}: {problem}")]
pub struct FormatError {
    /// The format, such as `"safetensors"`.
    pub format: &'static str,
    /// What was found, and what to do.
    pub problem: String,
}

impl FormatError {
    pub(crate) fn new(format: &'static str, problem: impl Into<String>) -> Self {
        Self { format, problem: problem.into() }
    }
}

/// A file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightFileError {
    /// The system reports an error.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// `"read"` or `"write"`.
        doing: &'static str,
        /// The system's error.
        source: io::Error,
    },
    /// It is not of the format, or holds what is not read here.
    #[error("{} holds no tensors that can be read", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
}

/// Reads a whole file; memory grows with what was read.
pub(crate) fn read<R>(
    path: &Path,
    parse: impl FnOnce(Vec<u8>) -> Result<R, FormatError>,
) -> Result<R, WeightFileError> {
    let io = |source| WeightFileError::Io { path: path.to_owned(), doing: "read", source };
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(io)?;
    parse(bytes).map_err(|source| WeightFileError::Format { path: path.to_owned(), source })
}

/// Writes a file whole or not at all: see [`chainrule_data::output::write`].
#[cfg(any(feature = "keras", feature = "npz", feature = "safetensors"))]
pub(crate) fn write(path: &Path, bytes: Result<Vec<u8>, FormatError>) -> Result<(), WeightFileError> {
    let bytes = bytes.map_err(|source| WeightFileError::Format { path: path.to_owned(), source })?;
    chainrule_data::output::write(path, |file| file.write_all(&bytes)).map_err(|source| WeightFileError::Io {
        path: path.to_owned(),
        doing: "write",
        source,
    })
}
