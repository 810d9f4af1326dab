//! A file that a log appends to.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chainrule_data::output::{self, Appended};
use chainrule_tensor::Real;

use crate::model::FileError;
use crate::trainer::{TrainWarning, TrainerView};

/// A file that grows row by row. A training that is resumed goes on where its checkpoint was made: what was written later is cut off,
/// and will be written again.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<Appended>,
    length: u64,
    /// Whether it could not be written.
    failed: bool,
}

impl LogFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, file: None, length: 0, failed: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of bytes.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Goes on after so many bytes.
    pub(super) fn resume(&mut self, length: u64) {
        (self.length, self.file) = (length, None);
    }

    /// Writes these bytes at the end. If that cannot be done, it says so once, and tries no more.
    pub(super) fn append<T: Real>(&mut self, bytes: &[u8], training: &mut TrainerView<'_, T>) {
        if self.failed {
            return;
        }
        if let Err(source) = self.try_append(bytes) {
            self.failed = true;
            let error = FileError::Io { path: self.path.clone(), doing: "write", source };
            training.warn(TrainWarning::not_saved(&error));
        }
    }

    fn try_append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let (file, length) = output::append(&self.path, self.length)?;
                self.length = length;
                self.file.insert(file)
            }
        };
        file.write_all(bytes)?;
        file.flush()?;
        self.length = self.length.saturating_add(bytes.len() as u64);
        Ok(())
    }
}
