//! The payloads of checkpoints, with the header and the checksum that belong to them: a training is resumed from each.
#![no_main]

use chainrule_fuzz::models::{resume_training, sealed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| resume_training(&sealed(payload)));
