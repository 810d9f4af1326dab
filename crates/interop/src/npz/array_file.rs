//! An array that stays in its file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::npy::{self, Header};
use crate::dtype::Dtype;
use crate::format::{FormatError, WeightFileError};
use crate::indices::count;

/// The longest header that is read, in bytes; NumPy's have some hundred.
const LONGEST_HEADER: u64 = 1 << 16;

/// The one array of an `.npy` file, whose elements are read when they are needed: for arrays that memory has no room for.
///
/// ```no_run
/// use chainrule_interop::ArrayFile;
/// let pictures = ArrayFile::open("pictures.npy")?;
/// let mut first = vec![0; pictures.shape()[1] * pictures.dtype().size()];
/// pictures.read_bytes(0, &mut first)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ArrayFile {
    path: PathBuf,
    file: File,
    dtype: Dtype,
    shape: Vec<usize>,
    /// The number of bytes before the elements.
    start: u64,
}

impl ArrayFile {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if it cannot be read, is no such file, is not as long as its header says, has its columns one after the other
    /// (as Fortran does), or holds objects or a type that is not in [`Dtype`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WeightFileError> {
        let path = path.as_ref().to_owned();
        let wrong = |problem| wrong(&path, problem);
        let (file, Header { dtype, columns_first, shape }, start) = header(&path)?;
        let length = file.metadata().map_err(|error| unreadable(&path, error))?.len();
        if columns_first {
            return Err(wrong(
                "its columns are stored one after the other; save numpy.ascontiguousarray of it".into(),
            ));
        }
        let expected = count(&shape).and_then(|count| count.checked_mul(dtype.size()));
        let found = length.saturating_sub(start as u64);
        if expected.is_none_or(|expected| expected as u64 != found) {
            let expected = expected.map_or("more than there can be".to_owned(), |bytes| bytes.to_string());
            return Err(wrong(format!("it has {found} bytes after its header instead of {expected}")));
        }
        Ok(Self { path, file, dtype, shape, start: start as u64 })
    }

    /// Whether the array of a file has its columns one after the other, as Fortran does: [`open`](Self::open) refuses it, and
    /// [`Tensor::read_npy`](crate::Tensor::read_npy) reads it.
    ///
    /// # Errors
    ///
    /// [`WeightFileError`] if its header cannot be read.
    pub fn has_columns_first(path: impl AsRef<Path>) -> Result<bool, WeightFileError> {
        let (_, Header { columns_first, .. }, _) = header(path.as_ref())?;
        Ok(columns_first)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The type of its elements.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The lengths of its axes.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Reads the bytes of its elements from the one with this index on, in row-major order, as many as there is space for. Several threads
    /// may do so at once.
    ///
    /// # Errors
    ///
    /// The system's; or [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file does not have so many, as when it became shorter.
    pub fn read_bytes(&self, first: usize, bytes: &mut [u8]) -> io::Result<()> {
        let offset = (first as u64).saturating_mul(self.dtype.size() as u64).saturating_add(self.start);
        read_at(&self.file, offset, bytes)
    }
}

/// The file, its header, and the number of bytes before the elements.
fn header(path: &Path) -> Result<(File, Header, usize), WeightFileError> {
    let io = |source| unreadable(path, source);
    let file = File::open(path).map_err(io)?;
    let mut head = Vec::new();
    (&file).take(LONGEST_HEADER).read_to_end(&mut head).map_err(io)?;
    let (header, start) = npy::header(&head).map_err(|problem| wrong(path, problem))?;
    Ok((file, header, start))
}

fn unreadable(path: &Path, source: io::Error) -> WeightFileError {
    WeightFileError::Io { path: path.to_owned(), doing: "read", source }
}

fn wrong(path: &Path, problem: String) -> WeightFileError {
    WeightFileError::Format { path: path.to_owned(), source: FormatError::new("npy", problem) }
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_at(file: &File, offset: u64, mut bytes: &mut [u8]) -> io::Result<()> {
    let mut offset = offset;
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                bytes = &mut bytes[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;

    fn write(path: &Path, tensor: &Tensor) {
        std::fs::write(path, npy::write(tensor).unwrap()).unwrap();
    }

    #[test]
    fn elements_are_those_of_the_array_in_memory() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.npy");
        let tensor = Tensor::new(Dtype::I16, [4, 3], (0..24).collect()).unwrap();
        write(&path, &tensor);
        let file = ArrayFile::open(&path).unwrap();
        assert_eq!((file.shape(), file.dtype(), file.path()), (&[4, 3][..], Dtype::I16, &*path));
        let mut row = [0; 6];
        file.read_bytes(6, &mut row).unwrap();
        assert_eq!(row[..], tensor.to_bytes()[12..18]);
        assert!(file.read_bytes(10, &mut row).is_err());
        assert!(file.read_bytes(usize::MAX, &mut row).is_err());
    }

    #[test]
    fn other_files_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.npy");
        let refused = |bytes: &[u8], part: &str| {
            std::fs::write(&path, bytes).unwrap();
            let error = ArrayFile::open(&path).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(source.contains(part), "{source}");
        };
        let whole = npy::write(&Tensor::new(Dtype::U8, [4], vec![0; 4]).unwrap()).unwrap();
        refused(&whole[..whole.len() - 1], "3 bytes after its header instead of 4");
        refused(&whole[..20], "ends within its header");
        refused(b"PK", "does not begin");
        let text = String::from_utf8_lossy(&whole[10..whole.len() - 4]).replace("False", "True ");
        refused(&[&whole[..10], text.as_bytes(), &[0; 4]].concat(), "ascontiguousarray");
        assert!(ArrayFile::has_columns_first(&path).unwrap());
        let endless = text.replace("True ", "False").replace("(4,)", "(99999999999,)");
        let length = (endless.len() as u16).to_le_bytes();
        refused(&[&whole[..8], &length, endless.as_bytes()].concat(), "0 bytes after");
        assert!(matches!(ArrayFile::open(directory.path().join("none")), Err(WeightFileError::Io { .. })));
    }
}
