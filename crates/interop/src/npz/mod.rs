//! Tensors in NumPy's archives: a zip file with a `.npy` file for each of them.

mod array_file;
mod npy;

use std::io::{Cursor, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::archive::Archive;
use crate::format::{self, FormatError, WeightFileError};
use crate::state_dict::StateDict;
use crate::tensor::Tensor;

pub use array_file::ArrayFile;

/// The ending of a member's name.
const ENDING: &str = ".npy";

/// The time that members are written with, the first one of the format, so that equal tensors make equal files.
fn options() -> SimpleFileOptions {
    let options = SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    options.compression_method(CompressionMethod::Stored)
}

impl Tensor {
    /// Reads the one array of an `.npy` file, as `numpy.save` writes it.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be read, is no such file, or holds objects or a type that is not in [`Dtype`](crate::Dtype).
    pub fn read_npy(path: impl AsRef<Path>) -> Result<Self, WeightFileError> {
        format::read(path.as_ref(), |bytes| {
            npy::read(bytes).map_err(|problem| FormatError::new("npy", problem))
        })
    }
}

impl StateDict {
    /// Reads an `.npz` file, as `numpy.savez` and `numpy.savez_compressed` write it.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be read, is no such file, holds arrays of objects or of a type that is not in
    /// [`Dtype`](crate::Dtype), or would be unpacked to far more than it has bytes.
    pub fn read_npz(path: impl AsRef<Path>) -> Result<Self, WeightFileError> {
        format::read(path.as_ref(), |bytes| Self::from_npz(&bytes))
    }

    /// Reads the bytes of an `.npz` file.
    ///
    /// # Errors
    ///
    /// [`FormatError`], as for [`read_npz`](Self::read_npz).
    pub fn from_npz(bytes: &[u8]) -> Result<Self, FormatError> {
        let mut archive = Archive::open(bytes, "npz")?;
        let mut dict = Self::new();
        for member in archive.names()? {
            let Some(name) = member.strip_suffix(ENDING) else {
                return Err(FormatError::new("npz", format!("{member:?} is no {ENDING} file")));
            };
            let tensor = npy::read(archive.member(&member)?);
            let tensor = tensor.map_err(|problem| FormatError::new("npz", format!("{name}: {problem}")))?;
            dict.insert(name, tensor);
        }
        Ok(dict)
    }

    /// Writes an `.npz` file, not compressed, whole or not at all. NumPy has no `bf16`: convert it with
    /// [`to_dtype`](Self::to_dtype).
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be written, or holds `bf16`.
    pub fn write_npz(&self, path: impl AsRef<Path>) -> Result<(), WeightFileError> {
        format::write(path.as_ref(), self.to_npz())
    }

    /// The bytes of an `.npz` file.
    ///
    /// # Errors
    ///
    /// [`FormatError`] if a tensor is of `bf16`.
    pub fn to_npz(&self) -> Result<Vec<u8>, FormatError> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let wrong = |name: &str, problem: String| FormatError::new("npz", format!("{name}: {problem}"));
        for (name, tensor) in self.iter() {
            let bytes = npy::write(tensor).map_err(|problem| wrong(name, problem))?;
            let large = options().large_file(bytes.len() as u64 > u64::from(u32::MAX));
            zip.start_file(format!("{name}{ENDING}"), large)
                .map_err(|error| wrong(name, error.to_string()))?;
            zip.write_all(&bytes).map_err(|error| wrong(name, error.to_string()))?;
        }
        let archive = zip.finish().map_err(|error| FormatError::new("npz", error.to_string()))?;
        Ok(archive.into_inner())
    }
}
