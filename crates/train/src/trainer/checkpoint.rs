//! A checkpoint in memory.

use std::path::Path;
use std::sync::Arc;

use crate::model::file::{self, Contents, FileError};

/// A checkpoint of a training at one moment, in memory: it can be written later, also by another thread.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub(super) contents: Arc<Contents>,
}

impl Checkpoint {
    /// Writes it to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`FileError::Io`] with the path and the system's error.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        file::write(path.as_ref(), &self.contents)
    }

    /// As [`write`](Self::write), and keeps the last `keep` files of this name, as [`chainrule_data::output::write_keeping`] does.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    pub fn write_keeping(&self, path: impl AsRef<Path>, keep: usize) -> Result<(), FileError> {
        file::write_keeping(path.as_ref(), keep, &self.contents)
    }

    /// What it holds.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}
