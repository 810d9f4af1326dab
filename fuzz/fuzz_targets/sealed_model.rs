//! The payloads of model files, with the header and the checksum that belong to them.
#![no_main]

use chainrule_fuzz::models::{read_model, sealed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| read_model(&sealed(payload)));
