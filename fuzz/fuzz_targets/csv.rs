//! CSV files, read in every way that there is. The first byte chooses the delimiter, whether there is a header, the target, and
//! how it is read.
#![no_main]

use chainrule_data::csv::{Column, Csv};
use chainrule_fuzz::file_with;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, text)) = bytes.split_first() else { return };
    let mut csv = Csv::new(file_with("csv", text)).delimiter(b",;\t "[usize::from(choice) % 4]);
    if choice & 4 != 0 {
        csv = csv.without_header();
    }
    csv = match choice >> 3 & 3 {
        0 => csv.target(Column::Index(1)),
        1 => csv.target(Column::Name("t".into())),
        _ => csv,
    };
    match choice >> 5 & 3 {
        0 => numbers(&csv),
        1 => classes(&csv),
        2 => drop(csv.numbered_classes::<f32>(10)),
        _ => drop(csv.vectors::<f32>(&[Column::Index(0), Column::Last])),
    }
});

fn numbers(csv: &Csv) {
    if let Ok(rows) = csv.numbers::<f32>() {
        assert!(rows.samples().iter().all(|value| value.is_finite()));
        assert_eq!(rows.samples().nrows(), rows.targets().len());
        let doubles = csv.numbers::<f64>().expect("what is finite in f32 is finite in f64");
        for (single, double) in rows.samples().iter().zip(doubles.samples()) {
            // Rounded once each, so no more than the neighbour of the double that is rounded again.
            let twice = *double as f32;
            assert!(twice == *single || (twice.to_bits() as i64 - single.to_bits() as i64).abs() <= 1);
        }
    }
}

fn classes(csv: &Csv) {
    if let Ok((rows, names)) = csv.classes::<f64>() {
        let again = csv.known_classes::<f64>(&names).expect("the classes were read from it");
        assert_eq!(again.targets(), rows.targets());
    }
}
