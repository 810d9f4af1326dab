//! Archives of NumPy: the bytes of one, or those of its only member, by the first byte.
#![no_main]

use chainrule_fuzz::interop::{archive, read_again};
use chainrule_interop::StateDict;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let whole = if choice & 1 == 0 { rest.to_vec() } else { archive(&[("a.npy", rest)]) };
    if let Ok(dict) = StateDict::from_npz(&whole) {
        read_again(&dict);
    }
});
