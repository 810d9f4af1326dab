//! Tensors of other libraries.

use std::io::{Cursor, Write};

use chainrule_interop::StateDict;
use zip::write::SimpleFileOptions;

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
