//! Manifests of data sets: what is accepted names files in the directory that they are downloaded to, and nothing else.
#![no_main]

use std::path::{Component, Path};

use chainrule_data::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    assert!(!manifest.mirrors.is_empty() && !manifest.files.is_empty());
    for file in &manifest.files {
        let mut parts = Path::new(&file.name).components();
        assert!(matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)), "{}", file.name);
        assert!(file.size > 0 && file.sha256.len() == 64);
    }
});
