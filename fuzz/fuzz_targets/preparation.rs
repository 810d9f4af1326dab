//! Texts of preparations of tables. What can be read is written and read again, and applied to a table with columns of each kind.
#![no_main]

use chainrule_fuzz::file_with;
use chainrule_tables::{Preparation, Table, TableReader};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static TABLE: Table = {
        let path = file_with("table.csv", b"a,b,c,d\n1,x,2020-01-02,yes\n2.5,y,,no\n-3,x,1999-12-31,yes\n");
        TableReader::new(path).read().expect("it is a table")
    };
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(preparation) = Preparation::from_text(text) else { return };
    let written = preparation.to_string();
    let again = Preparation::from_text(&written).expect("what was written can be read");
    assert_eq!(again.to_string(), written);
    let names = preparation.feature_names();
    assert_eq!(again.feature_names(), names);
    TABLE.with(|table| {
        if let Ok(features) = preparation.features::<f32>(table) {
            assert_eq!(features.dim(), (table.rows(), names.expect("they are of the features").len()));
            assert!(features.iter().all(|value| value.is_finite()));
        }
        let _ = preparation.classification::<f64>(table);
        let _ = preparation.regression::<f64>(table);
    });
});
