//! Safetensors files. What can be read is written and read again.
#![no_main]

use chainrule_fuzz::interop::read_again;
use chainrule_interop::StateDict;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dict) = StateDict::from_safetensors(bytes.to_vec()) {
        read_again(&dict);
    }
});
