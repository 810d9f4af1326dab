//! The payloads of model files, with the header and the checksum that belong to them.
#![no_main]

use std::sync::LazyLock;

use chainrule_fuzz::{file_with, model, read_model};
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

/// The magic number and the version, as this chainrule writes them.
static START: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let path = file_with("own", &[]);
    model().save(&path).expect("a model can be saved");
    std::fs::read(path).expect("it was saved")[..12].to_vec()
});

fuzz_target!(|payload: &[u8]| {
    let length = (payload.len() as u64).to_le_bytes();
    let checksum = Sha256::digest(payload);
    read_model(&file_with("model", &[&START[..], &length, &checksum, payload].concat()));
});
