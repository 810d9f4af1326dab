//! What the targets share: files with the input, and models to compare it with.

#[cfg(feature = "interop")]
pub mod interop;
#[cfg(feature = "models")]
pub mod models;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

/// In memory where the system has a file system for that.
static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("there is a directory for temporary files")
});

/// The directory of this process.
pub fn directory() -> &'static Path {
    DIRECTORY.path()
}

/// A file that holds these bytes until the next call with this name.
pub fn file_with(name: &str, bytes: &[u8]) -> PathBuf {
    let path = DIRECTORY.path().join(name);
    fs::write(&path, bytes).expect("a temporary file can be written");
    path
}

/// A directory that holds these bytes as its only file.
pub fn only_file_in(directory: &str, file: &str, bytes: &[u8]) -> PathBuf {
    let directory = DIRECTORY.path().join(directory);
    let path = directory.join(file);
    fs::create_dir_all(path.parent().expect("it is in the directory"))
        .expect("a temporary directory can be made");
    fs::write(path, bytes).expect("a temporary file can be written");
    directory
}
