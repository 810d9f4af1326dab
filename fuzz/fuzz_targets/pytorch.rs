//! State dicts of PyTorch: the bytes of a file, or those of the pickle in an archive with a storage, by the first byte.
#![no_main]

use chainrule_fuzz::interop::{archive, read_again};
use chainrule_interop::StateDict;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, rest)) = bytes.split_first() else { return };
    let storage = [1; 48];
    let whole = if choice & 1 == 0 {
        rest.to_vec()
    } else {
        archive(&[("a/data.pkl", rest), ("a/data/0", &storage)])
    };
    if let Ok(dict) = StateDict::from_pytorch(&whole) {
        read_again(&dict);
    }
});
