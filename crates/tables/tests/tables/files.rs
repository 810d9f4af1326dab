//! The CSV files of some Python packages, as pandas reads them.

use std::path::PathBuf;

use chainrule_tables::{ColumnData, Table, TableColumn};

/// What `reference/read_with_pandas.py` wrote.
const PANDAS: &str = include_str!("reference/pandas.txt");

/// The directory that the packages are installed in, such as `/usr/lib/python3/dist-packages`.
const VARIABLE: &str = "CHAINRULE_PYTHON_PACKAGES";

/// FNV-1a over words of 64 bits.
fn hash(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xCBF2_9CE4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01B3))
}

/// A column as the script writes it.
fn token(column: &TableColumn) -> String {
    let missing = column.missing();
    match column.data() {
        ColumnData::Numbers(numbers) => {
            let bits =
                |&value: &f64| if value.is_nan() { 0x7FF8_0000_0000_0000 } else { (value + 0.0).to_bits() };
            format!("n{missing}:{:016x}", hash(numbers.values().iter().map(bits)))
        }
        ColumnData::Texts(_) => format!("t{missing}"),
    }
}

/// What differs between a table and the script's line.
fn difference(table: &Table, expected: &[&str]) -> Option<String> {
    let shape = [table.rows().to_string(), table.columns().len().to_string()];
    if shape != expected[..2] {
        return Some(format!("{shape:?} instead of {:?}", &expected[..2]));
    }
    let tokens: Vec<String> = table.columns().iter().map(token).collect();
    if let Some(all) = expected[2].strip_prefix("all:") {
        let found = format!("{:016x}", hash(tokens.join(" ").bytes().map(u64::from)));
        return (found != all).then(|| "other values".to_owned());
    }
    tokens.iter().zip(&expected[2..]).zip(table.columns()).find_map(|((found, expected), column)| {
        // Dates, booleans of words and numbers with signs are numbers here, and texts in pandas.
        let missing = |token: &str| token[1..].split(':').next().unwrap().to_owned();
        let is_text = expected.starts_with('t') && missing(found) == missing(expected);
        (found != expected && !is_text).then(|| format!("{:?}: {found} instead of {expected}", column.name()))
    })
}

#[test]
fn of_python_packages_are_read_as_pandas_reads_them() {
    let Some(directory) = std::env::var_os(VARIABLE).map(PathBuf::from) else {
        eprintln!(
            "skipped: set {VARIABLE} to the directory that statsmodels, scikit-learn and vega_datasets are installed in"
        );
        return;
    };
    let (mut equal, mut total, mut differences) = (0, 0, Vec::new());
    for line in PANDAS.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let [name, expected @ ..] = &fields[..] else { continue };
        let path = directory.join(name);
        if !path.is_file() {
            eprintln!("{name} is missing");
            continue;
        }
        total += 1;
        let difference = match Table::read(&path) {
            Ok(table) => difference(&table, expected),
            Err(error) => Some(error.to_string()),
        };
        match difference {
            None => equal += 1,
            Some(difference) => differences.push(format!("{name}: {difference}")),
        }
    }
    let differences = differences.join("\n");
    assert!(total == 0 || equal * 100 >= total * 99, "{equal} of {total} are equal:\n{differences}");
    eprintln!("{equal} of {total} files are read as pandas reads them\n{differences}");
}
