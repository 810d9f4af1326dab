//! Model files and checkpoints.
//!
//! A file is a header of 52 bytes and a payload. The header holds the magic number `chainrul`, the version of the format
//! (u32), the length of the payload (u64) and its SHA-256; numbers are little-endian. The payload is [`Contents`], field by field: a
//! text or a list is its length (u64) and its elements, and an optional field a byte, 0 or 1, before what it has. The header is checked
//! before the payload is decoded, so that a file that was truncated or damaged is distinguished from one of a newer version. The payload is read once: parameters go to where the model has them while
//! the checksum is computed, and nothing is returned before it was compared. Where it would take more memory than is given to what may
//! be damaged, it is read again, after its checksum was found to be right.
//!
//! The layers are in it by their description, from which [`Model::load`] builds them; no code is. Before version 5 a file has only
//! what their layers print, and is read by [`Model::load_into`].
//!
//! A checksum protects from damage, not from a file that was made to deceive: whether it is right or not, the memory that
//! reading takes is bounded by the length of the file. So is the number of layers that are built from it.
//!
//! [`Model::load`]: crate::Model::load
//! [`Model::load_into`]: crate::Model::load_into

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chainrule_core::DescriptionError;
use chainrule_data::output;

use super::checksum::Checksum;
use super::encoding::{DecodeError, Encode, Source};

pub use super::contents::{Contents, EpochPosition, EpochRecord, RunRecord, ScoreRecord, Training};
pub use super::newest::{Newest, newest, numbered};

const MAGIC: &[u8; 8] = b"chainrul";
const VERSION: u32 = 7;

/// The first version that can be read. Each version after it has added one optional field to the end of [`Contents`]: 3 the
/// position, 4 the weight of the epoch, 5 the description of the layers, 6 the record of the run, 7 the notes of the model.
const OLDEST_VERSION: u32 = 2;

/// The encoding of `None`, which a field has in files of versions before it.
const NONE: u8 = 0;

const HEADER: usize = 8 + 4 + 8 + 32;

/// Writes a file whole or not at all: see [`output::write`].
///
/// # Errors
///
/// [`FileError::Io`]; then no temporary file remains, and an older file is unchanged.
pub fn write(path: &Path, contents: &Contents) -> Result<(), FileError> {
    write_keeping(path, 1, contents)
}

/// As [`write()`], and of the files with this name keeps the last `keep`, this one included: see [`output::write_keeping`].
///
/// # Errors
///
/// As [`write()`].
pub fn write_keeping(path: &Path, keep: usize, contents: &Contents) -> Result<(), FileError> {
    write_contents(path, keep, contents)
}

/// As [`write_keeping`], whatever has the parameters.
pub(super) fn write_contents<P: Encode>(
    path: &Path,
    keep: usize,
    contents: &Contents<P>,
) -> Result<(), FileError> {
    let written = output::write_with_header(path, keep, |file| {
        let mut payload = PayloadWriter { file, checksum: Checksum::new() };
        contents.encode(&mut payload)?;
        Ok(header(payload.checksum))
    });
    written.map_err(|source| FileError::Io { path: path.to_owned(), doing: "write", source })
}

/// The header of a payload with this checksum.
fn header(payload: Checksum) -> [u8; HEADER] {
    let length = payload.length().to_le_bytes();
    let fields: [&[u8]; 4] = [MAGIC, &VERSION.to_le_bytes(), &length, &payload.finish()];
    let mut header = [0; HEADER];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

/// A payload that is written.
struct PayloadWriter<'a> {
    file: &'a mut dyn Write,
    checksum: Checksum,
}

impl Write for PayloadWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // No more than a cache holds, since they are read once more for the checksum.
        let written = self.file.write(&bytes[..bytes.len().min(BLOCK)])?;
        self.checksum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The most bytes that are read or written at once.
const BLOCK: usize = 1 << 18;

/// Reads a file, and checks all that can be checked without the layers.
///
/// # Errors
///
/// [`FileError`], which distinguishes a file of another kind from one that is truncated, damaged or of another version.
pub fn read(path: &Path) -> Result<Contents, FileError> {
    read_with_version(path).map(|(contents, _)| contents)
}

/// As [`read`], with whether a checkpoint says of its setup what one that is written today does.
pub(crate) fn read_with_version(path: &Path) -> Result<(Contents, bool), FileError> {
    read_contents(path, |_, payload| {
        let mut bytes = Vec::new();
        let length = payload.length()?;
        bytes.try_reserve_exact(length).map_err(|_| DecodeError::Memory)?;
        bytes.resize(length, 0);
        payload.read_exact(&mut bytes).map_err(|_| DecodeError::Invalid)?;
        Ok(bytes)
    })
}

/// As [`read_with_version`], with parameters that `parameters` reads, of the type with the name that it is given.
pub(super) fn read_contents<P>(
    path: &Path,
    parameters: impl Fn(&str, &mut PayloadReader) -> Result<P, ContentsError>,
) -> Result<(Contents<P>, bool), FileError> {
    let io = |source: io::Error| FileError::Io { path: path.to_owned(), doing: "read", source };
    let path = || path.to_owned();
    let mut file = File::open(path()).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    let mut header = [0; HEADER];
    if size < HEADER as u64 {
        return Err(FileError::NotAModel { path: path() });
    }
    file.read_exact(&mut header).map_err(io)?;
    let (magic, rest) = header.split_first_chunk::<8>().expect("the header is longer");
    let (version, rest) = rest.split_first_chunk::<4>().expect("the header is longer");
    let (length, checksum) = rest.split_first_chunk::<8>().expect("the header is longer");
    if magic != MAGIC {
        return Err(FileError::NotAModel { path: path() });
    }
    let version = u32::from_le_bytes(*version);
    if !(OLDEST_VERSION..=VERSION).contains(&version) {
        return Err(FileError::Version { path: path(), found: version });
    }
    let expected = u64::from_le_bytes(*length);
    let found = size - HEADER as u64;
    if expected != found {
        return Err(FileError::Length { path: path(), expected, found });
    }
    let mut decode = |is_verified| {
        file.seek(SeekFrom::Start(HEADER as u64)).map_err(io)?;
        let file = file.try_clone().map_err(io)?;
        let mut payload = PayloadReader {
            checked: BufReader::new(Checked { file: file.take(found), checksum: Checksum::new() }),
            remaining: found,
            missing: u64::from(VERSION - version),
            is_verified,
        };
        let contents = Contents::decode(&mut payload, &parameters);
        let unread = payload.remaining();
        // Whatever its contents seem to be, a file that was damaged is an error of its own, which comes first.
        let found = payload.checksum().map_err(io)?;
        if found == *checksum { Ok((contents, unread)) } else { Err(FileError::Damaged { path: path() }) }
    };
    let (mut contents, mut unread) = decode(false)?;
    if let Err(ContentsError::Decode(DecodeError::Memory)) = contents {
        (contents, unread) = decode(true)?;
    }
    let contents = contents.map_err(|error| match error {
        ContentsError::Decode(DecodeError::Memory) => io(io::ErrorKind::OutOfMemory.into()),
        ContentsError::Decode(DecodeError::Invalid) => FileError::Contents { path: path() },
        ContentsError::File(error) => error,
    })?;
    if unread > 0 {
        return Err(FileError::Contents { path: path() });
    }
    Ok((contents, version == VERSION))
}

/// Why a payload is not that of a model, or not of the one that is wanted.
pub(super) enum ContentsError {
    Decode(DecodeError),
    File(FileError),
}

impl From<DecodeError> for ContentsError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<FileError> for ContentsError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// A payload that is read, with `None` for each field that its version does not have yet.
pub(super) struct PayloadReader {
    checked: BufReader<Checked>,
    remaining: u64,
    missing: u64,
    /// Whether its checksum was found to be right.
    is_verified: bool,
}

impl PayloadReader {
    /// The length of a list of bytes that are all there.
    pub(super) fn length(&mut self) -> Result<usize, ContentsError> {
        let mut length = [0; 8];
        self.read_exact(&mut length).map_err(|_| DecodeError::Invalid)?;
        let length = u64::from_le_bytes(length);
        if length > self.remaining() {
            return Err(DecodeError::Invalid.into());
        }
        Ok(usize::try_from(length).map_err(|_| DecodeError::Memory)?)
    }

    /// The checksum of the whole payload, which it reads to its end.
    fn checksum(mut self) -> io::Result<[u8; 32]> {
        io::copy(&mut self.checked, &mut io::sink())?;
        Ok(self.checked.into_inner().checksum.finish())
    }
}

impl Read for PayloadReader {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.remaining == 0 && self.missing > 0 && !bytes.is_empty() {
            self.missing -= 1;
            bytes[0] = NONE;
            return Ok(1);
        }
        let length = bytes.len().min(BLOCK);
        let read = self.checked.read(&mut bytes[..length])?;
        self.remaining -= read as u64;
        Ok(read)
    }
}

impl Source for PayloadReader {
    fn remaining(&self) -> u64 {
        self.remaining + self.missing
    }

    fn is_verified(&self) -> bool {
        self.is_verified
    }
}

/// A file whose checksum is computed while it is read.
struct Checked {
    file: io::Take<File>,
    checksum: Checksum,
}

impl Read for Checked {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(bytes)?;
        self.checksum.update(&bytes[..read]);
        Ok(read)
    }
}

/// A model file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
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
    /// It does not begin as a model file does.
    #[error("{} is not a chainrule model: it does not begin as one; give a file that a training has saved", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
    },
    /// It has a version that this program does not know.
    #[error("{} has version {found} of the format, but this program reads versions {OLDEST_VERSION} to {VERSION}: read it with the chainrule that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It is shorter or longer than its header says.
    #[error("{} has {found} bytes after its header, which says {expected}: it was truncated, or something was appended; use another copy", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// The length of the payload according to the header.
        expected: u64,
        /// The actual length.
        found: u64,
    },
    /// Its checksum is wrong.
    #[error("{} is damaged: its checksum is wrong; use another copy", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Its checksum is right, but what it protects is not the contents of a model.
    #[error("{} does not hold a model, though its checksum is right: it was not written by chainrule; use another copy", path.display())]
    Contents {
        /// The file.
        path: PathBuf,
    },
    /// It does not say what its layers are, as files of versions before 5.
    #[error("{} does not describe its layers, as files of versions before 5: read it with `Model::load_into` and its layers, and save it again", path.display())]
    NotDescribed {
        /// The file.
        path: PathBuf,
    },
    /// The layers that it describes cannot be built.
    #[error("the layers of {} cannot be built: register layers of your own and read it with `Model::load_with`, or read it with `Model::load_into` and its layers", path.display())]
    Layers {
        /// The file.
        path: PathBuf,
        /// What is wrong with their description.
        source: DescriptionError,
    },
    /// It holds another network than the program describes.
    #[error("{} holds another architecture: {what}", path.display())]
    Architecture {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
    /// A number is beyond those of the element type that it is converted to.
    #[error("{} has the parameter {value:e}, which is beyond the numbers of {number}: load it with its own element type", path.display())]
    Range {
        /// The file.
        path: PathBuf,
        /// The parameter.
        value: f64,
        /// `"f32"`.
        number: &'static str,
    },
    /// A layer carries a state from batch to batch that it does not hand over, and the training is in the middle of an epoch.
    #[error(
        "cannot save the training in the middle of an epoch, since a layer carries a state from batch to batch that it does not hand over: call `carried::begin` in its forward pass, save between epochs, or leave out the rest of the epoch with `end_epoch`"
    )]
    CarriedStates,
    /// What the metrics have counted in other processes is not known here.
    #[error(
        "cannot save the training in the middle of an epoch after an error, since what the metrics have counted in the other processes is not known here: go on from the checkpoint before"
    )]
    CountsOfOthers,
    /// The processes of a group have the optimizer's state each of its part of the parameters.
    #[error(
        "cannot save the training here, since the other processes have parts of the optimizer's state: let a callback save it, such as `Checkpoints`, or all of them with `checkpoint_together`, or go on from the checkpoint before"
    )]
    StateOfOthers,
    /// It is a model, but not a checkpoint of a training.
    #[error("{} is a model without the state of its training: it can be loaded, but not resumed", path.display())]
    NotACheckpoint {
        /// The file.
        path: PathBuf,
    },
}
