//! Numbers in CSV files, rounded once.

use std::fs;

use chainrule_data::csv::{Csv, CsvError};
use chainrule_tensor::Real;

/// The numbers as a column of samples, as a target, and as a target of several columns: all ways must agree.
fn read<T: Real>(texts: &[&str]) -> Result<Vec<T>, CsvError> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("table.csv");
    let lines: String = texts.iter().map(|text| format!("{text},{text}\n")).collect();
    fs::write(&path, lines).unwrap();
    let csv = Csv::new(&path).without_header();
    let rows = csv.numbers::<T>()?;
    let samples: Vec<T> = rows.samples().iter().copied().collect();
    assert_eq!(samples, rows.targets().iter().flatten().copied().collect::<Vec<_>>());
    let vectors = csv.vectors::<T>(&[chainrule_data::csv::Column::Index(0)])?;
    assert_eq!(samples, vectors.targets().iter().map(|target| target[0]).collect::<Vec<_>>());
    Ok(samples)
}

#[test]
fn decimals_close_to_the_middle_of_two_numbers() {
    let texts = [
        "1.00000017881393432617187499",
        "16777217.0000000001",
        "1.00000005960464477540",
        "-16777217.0000000001",
        // Exactly in the middle: to the even one.
        "16777217",
        "16777219",
        // The least number that is not 0, just above its half, and the half.
        "7.006492321624085354618648E-46",
        "7.006492321624085354618647E-46",
        // The greatest number, just below the middle to infinity.
        "340282356779733661637539395458142568447.99",
    ];
    let numbers = read::<f32>(&texts).unwrap();
    let bits = |number: f32| number.to_bits();
    assert_eq!(bits(numbers[0]), 0x3F80_0001);
    assert_eq!(numbers[1], 16_777_218.0);
    assert_eq!(bits(numbers[2]), 0x3F80_0001);
    assert_eq!(numbers[3], -16_777_218.0);
    assert_eq!((numbers[4], numbers[5]), (16_777_216.0, 16_777_220.0));
    assert_eq!((bits(numbers[6]), bits(numbers[7])), (1, 0));
    assert_eq!(numbers[8], f32::MAX);
    // In double precision as Rust's own parser.
    let doubles = read::<f64>(&texts).unwrap();
    let right: Vec<f64> = texts.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(doubles, right);
}

#[test]
fn what_overflows_or_is_no_number() {
    for text in [
        "340282356779733661637539395458142568448",
        "1e39",
        "inf",
        "NaN",
        "-infinity",
        "",
        "1,0",
        "0x10",
        "1_0",
    ] {
        assert!(read::<f32>(&["1", text]).is_err(), "{text}");
    }
    assert_eq!(read::<f64>(&["1e39"]).unwrap(), [1e39]);
    assert!(read::<f64>(&["1e309"]).is_err());
    assert_eq!(read::<f32>(&["1e-60", "-1e-60", "+5", ".5", "5."]).unwrap(), [0.0, -0.0, 5.0, 0.5, 5.0]);
}
