//! What the targets share: files with the input, and models to compare it with.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chainrule_core::Sequential;
use chainrule_interop::StateDict;
use chainrule_layers::{Dense, Relu};
use chainrule_tensor::Seed;
use chainrule_train::{Model, file};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

/// In memory where the system has a file system for that.
static DIRECTORY: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = tempfile::tempdir_in("/dev/shm");
    memory.or_else(|_| tempfile::tempdir()).expect("there is a directory for temporary files")
});

/// A file that holds these bytes until the next call with this name.
pub fn file_with(name: &str, bytes: &[u8]) -> PathBuf {
    let path = DIRECTORY.path().join(name);
    fs::write(&path, bytes).expect("a temporary file can be written");
    path
}

/// Reads a model file, and whatever can be read is written and read again.
pub fn read_model(path: &Path) {
    let Ok(contents) = file::read(path) else { return };
    let layers = || Sequential::new().then(Dense::new(4)).then(Relu).then(Dense::new(2));
    if let Ok(model) = Model::<f32>::load_into(path, layers()) {
        assert_eq!(model.parameters().len(), model.plan().size());
    }
    let copy = DIRECTORY.path().join("copy");
    file::write(&copy, &contents).expect("what was read can be written");
    // As texts, since a sum of losses may be NaN.
    let again = file::read(&copy).expect("what was written can be read");
    assert_eq!(format!("{again:?}"), format!("{contents:?}"));
}

/// A small model, as the targets read it.
pub fn model() -> Model<f32> {
    let layers = Sequential::new().then(Dense::new(4)).then(Relu).then(Dense::new(2));
    Model::new([3], layers, Seed(1)).expect("the layers fit each other")
}

/// Writes tensors and reads them again.
pub fn read_again(dict: &StateDict) {
    let bytes = dict.to_safetensors().expect("names of a small file make a small header");
    let again = StateDict::from_safetensors(bytes).expect("what was written can be read");
    assert_eq!(again.len(), dict.len());
    for (name, tensor) in dict.iter() {
        assert_eq!(again.get(name), Some(tensor), "{name}");
        assert_eq!(tensor.to_bytes().len(), tensor.len() * tensor.dtype().size());
    }
}

/// A zip archive with these members, as they are.
pub fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in members {
        zip.start_file(*name, options).expect("memory takes any bytes");
        zip.write_all(bytes).expect("memory takes any bytes");
    }
    zip.finish().expect("memory takes any bytes").into_inner()
}
