//! Parquet files, as pandas reads them. `reference/parquet.py` writes them and their values.

use std::path::{Path, PathBuf};

use chainrule_tables::{ColumnData, ColumnKind, ColumnRoles, Table, TableColumn, TableReader};
use chainrule_tensor::Seed;
use serde_json::Value;

use crate::TestFile;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/tables/reference/parquet")
        .join(format!("{name}.parquet"))
}

fn reference() -> Value {
    serde_json::from_str(include_str!("reference/parquet.json")).unwrap()
}

/// What the values of a column are instead of these.
fn difference(column: &TableColumn, expected: &[Value]) -> Option<String> {
    let is_same = |row: usize| match column.data() {
        ColumnData::Numbers(numbers) => {
            let value: f64 = expected[row].as_str().map_or(f64::NAN, |text| text.parse().unwrap());
            numbers.values()[row] == value || (numbers.values()[row].is_nan() && value.is_nan())
        }
        ColumnData::Texts(texts) => texts.get(row) == expected[row].as_str(),
    };
    let row = (0..expected.len()).find(|&row| !is_same(row))?;
    Some(format!("not {} in row {row}", expected[row]))
}

/// Every encoding, compression and version of pages that pandas and pyarrow write gives the values that pandas reads.
#[test]
fn values_are_those_of_pandas() {
    let reference = reference();
    let columns = reference["columns"].as_object().unwrap();
    for name in reference["files"].as_array().unwrap() {
        let name = name.as_str().unwrap();
        let table = Table::read(file(name)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((table.rows(), table.columns().len()), (150, columns.len()));
        for (column, expected) in columns {
            let found = table.column(column).unwrap();
            let difference = difference(found, expected.as_array().unwrap());
            assert_eq!(difference, None, "{name}, {column}");
            // A text occurs in the words if it occurs in a row.
            if let Some(texts) = found.texts() {
                let used = |code: usize| texts.codes().contains(&(code as u32));
                assert!((0..texts.words().len()).all(used), "{name}, {column}");
            }
        }
    }
}

#[test]
fn kinds_come_from_the_types_of_the_file() {
    use ColumnKind::{Boolean, Category, Constant, Date, Identifier, Number};
    let table = Table::read(file("snappy")).unwrap();
    let kind = |name: &str| table.column(name).unwrap().kind();
    for name in ["small", "whole", "huge", "half", "double", "price", "precise"] {
        assert_eq!(kind(name), Number, "{name}");
    }
    for name in ["day", "clock", "stamp", "zoned", "exact"] {
        assert_eq!(kind(name), Date, "{name}");
    }
    let rest =
        [("row", Identifier), ("yes", Boolean), ("maybe", Boolean), ("word", Category), ("path", Identifier)];
    for (name, expected) in rest.into_iter().chain([("none", Constant)]) {
        assert_eq!(kind(name), expected, "{name}");
    }
    let told = TableReader::new(file("snappy"))
        .kind("small", Category)
        .kind("yes", Category)
        .kind("price", Number)
        .missing("oak")
        .missing("-3");
    let told = told.read().unwrap();
    let texts = |name: &str| told.column(name).unwrap().texts().unwrap();
    assert!(texts("small").get(0).unwrap().parse::<i8>().is_ok());
    assert_eq!(texts("yes").words().len(), 2);
    assert!(["false", "true"].contains(&texts("yes").get(0).unwrap()));
    assert!(!texts("word").words().contains(&"oak".into()));
    let [before, after] = [&table, &told].map(|table| table.column("word").unwrap().missing());
    assert!(after > before);
    let wrong = TableReader::new(file("snappy")).kind("word", Date).read().unwrap_err().to_string();
    assert!(wrong.contains("line ") && wrong.contains("\"word\""), "{wrong}");
}

/// A dictionary may have more entries than there are rows.
#[test]
fn categories_that_no_row_has_are_no_words() {
    let table = Table::read(file("categories")).unwrap();
    let texts = table.column("kind").unwrap().texts().unwrap();
    let found: Vec<Option<&str>> = (0..texts.len()).map(|row| texts.get(row)).collect();
    let [a, b, c] = [Some("kind 7"), Some("kind 41"), Some("kind 0")];
    assert_eq!(found, [a, b, c, a, a, None, b, c, a, a]);
    assert_eq!(texts.words().len(), 3);
}

/// Several whole numbers may be the same in double precision.
#[test]
fn numbers_that_are_told_to_be_texts_are_exact() {
    let expected = [
        ("whole", ["9007199254740992", "9007199254740993", "0", "", "9007199254740992"]),
        ("unsigned", ["18446744073709551615", "18446744073709551614", "0", "", "18446744073709551615"]),
        ("number", ["100000000000000000", "100000000000000001", "0", "", "-7"]),
        ("single", ["0.1", "-2.5", "0", "", ""]),
    ];
    for kind in [ColumnKind::Category, ColumnKind::Text, ColumnKind::Identifier] {
        let told =
            |reader: TableReader| expected.iter().fold(reader, |reader, (name, _)| reader.kind(*name, kind));
        let table = told(TableReader::new(file("told"))).read().unwrap();
        let missing =
            told(TableReader::new(file("told"))).missing("0.0").missing("9007199254740993").missing("0.10");
        let missing = missing.read().unwrap();
        for (name, expected) in expected {
            let [found, others] = [&table, &missing].map(|table| table.column(name).unwrap());
            assert_eq!(found.kind(), kind, "{name}");
            let texts = |column: &TableColumn| -> Vec<String> {
                let texts = column.texts().unwrap();
                (0..texts.len()).map(|row| texts.get(row).unwrap_or_default().to_owned()).collect()
            };
            assert_eq!(texts(found), expected, "{name}, {kind}");
            let left =
                expected.map(|text| if ["0", "9007199254740993", "0.1"].contains(&text) { "" } else { text });
            assert_eq!(texts(others), left, "{name}, {kind}");
        }
    }
}

#[test]
fn a_missing_number_is_one_of_a_column_of_numbers() {
    let table = TableReader::new(file("told")).missing("0").missing("0.1").read().unwrap();
    let missing = |name: &str| table.column(name).unwrap().missing();
    let expected = [("whole", 2), ("unsigned", 2), ("number", 2), ("single", 4), ("double", 4)];
    for (name, expected) in expected.into_iter().chain([("yes", 1), ("day", 2), ("clock", 2)]) {
        assert_eq!(missing(name), expected, "{name}");
    }
}

#[test]
fn groups_of_columns_and_names_of_rows() {
    let table = Table::read(file("nested")).unwrap();
    let names: Vec<&str> = table.columns().iter().map(TableColumn::name).collect();
    assert_eq!(names, ["a.b", "a.c"]);
    assert_eq!(table.columns().iter().map(TableColumn::missing).collect::<Vec<_>>(), [2, 1]);
    let table = Table::read(file("index")).unwrap();
    assert_eq!(table.column("__index_level_0__").unwrap().kind(), ColumnKind::Identifier);
    assert_eq!(table.column("x").unwrap().numbers().unwrap().values(), [1.5, 2.5]);
}

#[test]
fn what_cannot_be_read_is_said() {
    let whole = std::fs::read(file("nested")).unwrap();
    let cases: [(PathBuf, &str); 2] =
        [(file("list"), "column \"list.list.element\""), (file("brotli"), "Brotli")];
    for (path, expected) in cases {
        let error = Table::read(path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("write"), "{error}");
    }
    let encrypted = TestFile::new([b"PARE", &whole[4..whole.len() - 4], b"PARE"].concat());
    let error = Table::read(&encrypted.path).unwrap_err().to_string();
    assert!(error.contains("its footer is encrypted") && error.contains("write"), "{error}");
    let text = TestFile::new("PARENT,AGE\n3,4\n5,7\n");
    assert!(Table::read(&text.path).unwrap().column("PARENT").is_ok());
    let cut = TestFile::new(&whole[..whole.len() - 9]);
    let error = Table::read(&cut.path).unwrap_err().to_string();
    assert!(error.contains("its end (it may have been cut off) is damaged"), "{error}");
}

/// The number of rows is in the footer, as a number of seven bits a byte: no memory is requested for what it claims.
#[test]
fn claims_beyond_the_bytes_of_a_file_are_refused() {
    let whole = std::fs::read(file("nested")).unwrap();
    let length = u32::from_le_bytes(whole[whole.len() - 8..whole.len() - 4].try_into().unwrap());
    let footer = whole.len() - 8 - length as usize;
    // The rows of the only group: field 3 of a structure whose field 2 is its size, before a file's offset. They are 3, as zigzag 6.
    let at = (footer..whole.len() - 8).rev().find(|&at| whole[at..at + 2] == [0x16, 6]).unwrap();
    let mut claimed = whole[..at + 1].to_vec();
    claimed.extend([0x80, 0x80, 0x80, 0x80, 0x40]);
    claimed.extend(&whole[at + 2..whole.len() - 8]);
    claimed.extend((length + 4).to_le_bytes());
    claimed.extend(b"PAR1");
    let error = Table::read(&TestFile::new(claimed).path).unwrap_err().to_string();
    assert!(error.contains("250 times"), "{error}");
}

#[test]
fn damaged_files_are_read_or_refused() {
    let mut rng = Seed(9).rng();
    let files = ["nested", "list", "index", "zstd"].map(|name| std::fs::read(file(name)).unwrap());
    let made = TestFile::new("");
    let (mut read, mut refused) = (0, 0);
    for index in 0..1_200 {
        // The large one less often.
        let mut bytes = files[if index % 16 == 0 { 3 } else { index % 3 }].clone();
        for _ in 0..1 + rng.below(3) {
            let at = rng.below(bytes.len() - 4);
            match rng.below(4) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at] = rng.below(256) as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, rng.below(256) as u8),
            }
        }
        std::fs::write(&made.path, &bytes).unwrap();
        let Ok(table) = Table::read(&made.path) else {
            refused += 1;
            continue;
        };
        read += 1;
        assert!(table.rows() * table.columns().len() <= (250 * bytes.len()).max(1 << 21));
        let rows = |column: &TableColumn| match column.data() {
            ColumnData::Numbers(numbers) => numbers.len(),
            ColumnData::Texts(texts) => texts.len(),
        };
        assert!(table.columns().iter().all(|column| rows(column) == table.rows()));
    }
    assert!(read > 100 && refused > 300, "{read}, {refused}");
}

#[test]
fn a_preparation_learns_from_one_and_is_applied_to_another() {
    let table = Table::read(file("snappy")).unwrap();
    let preparation = ColumnRoles::new().target("yes").fit(&table).unwrap();
    let features = preparation.features::<f32>(&Table::read(file("encodings")).unwrap()).unwrap();
    assert_eq!(preparation.features::<f32>(&table).unwrap(), features);
    let classes = preparation.classification::<f32>(&table).unwrap();
    assert_eq!(classes.samples().dim(), (150, preparation.feature_names().unwrap().len()));
    let again = preparation.reader(file("groups")).read().unwrap();
    assert_eq!(preparation.features::<f32>(&again).unwrap(), features);
}
