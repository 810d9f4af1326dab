//! Model files as they are: nearly all have a wrong checksum.
#![no_main]

use chainrule_fuzz::file_with;
use chainrule_fuzz::models::read_model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| read_model(&file_with("model", bytes)));
