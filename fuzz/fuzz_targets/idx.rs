//! IDX files, plain and compressed: what can be read is written and read again.
#![no_main]

use chainrule_data::{Images, idx};
use chainrule_fuzz::file_with;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = file_with("idx", bytes);
    if let Ok(read) = idx::read(&path) {
        let copy = file_with("copy", &[]);
        idx::write(&copy, &read).expect("what was read can be written");
        assert!(idx::read(&copy).is_ok_and(|again| again == read));
    }
    // The two halves as images and labels.
    let (images, labels) = bytes.split_at(bytes.len() / 2);
    let (images, labels) = (file_with("images", images), file_with("labels", labels));
    let read: Result<Images, _> = idx::read_images(&images, &labels, 10);
    if let Ok(images) = read {
        assert_eq!(images.labels().len(), images.count());
    }
});
