//! The binary files of CIFAR-10 and CIFAR-100: all of them with the same bytes.
#![no_main]

use chainrule_data::{Dataset, Images};
use chainrule_fuzz::only_file_in;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for number in 1..=5 {
        only_file_in("cifar10", &format!("data_batch_{number}.bin"), bytes);
    }
    let ten = only_file_in("cifar10", "test_batch.bin", bytes);
    only_file_in("cifar100", "train.bin", bytes);
    let hundred = only_file_in("cifar100", "test.bin", bytes);
    for (read, files, record) in [(Images::cifar10(ten), 5, 3073), (Images::cifar100(hundred), 1, 3074)] {
        let Ok((train, test)) = read else { continue };
        assert_eq!([train.len(), test.len()], [files, 1].map(|files| files * bytes.len() / record));
        assert!(test.labels().iter().all(|&label| usize::from(label) < test.classes()));
    }
});
