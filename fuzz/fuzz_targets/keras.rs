//! Keras' files of weights: those of HDF5. What can be read takes no more bytes than the file, and what Keras could have written is written
//! and read again.
#![no_main]

use chainrule_fuzz::interop::read_again;
use chainrule_interop::StateDict;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(dict) = StateDict::from_keras(bytes.to_vec()) {
        let taken: usize = dict.iter().map(|(_, tensor)| tensor.to_bytes().len()).sum();
        assert!(taken <= bytes.len());
        read_again(&dict);
        if let Ok(written) = dict.to_keras() {
            let again = StateDict::from_keras(written).expect("what was written can be read");
            assert_eq!(again.len(), dict.len());
            assert!(dict.iter().all(|(name, tensor)| again.get(name) == Some(tensor)));
        }
    }
});
