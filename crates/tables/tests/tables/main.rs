//! Tables, from files to data for training.

mod files;
mod parquet;
mod preparations;
mod random;
mod reading;
mod transforms;

use std::fs;
use std::path::PathBuf;

/// A file with this content, in a directory that is removed when it is dropped.
struct TestFile {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl TestFile {
    fn new(content: impl AsRef<[u8]>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("table.csv");
        fs::write(&path, content).unwrap();
        Self { _directory: directory, path }
    }
}
