//! Tables of any kind, read, summed up, prepared, and the preparation written and read again. The first byte chooses what the reader is
//! told.
#![no_main]

use chainrule_fuzz::file_with;
use chainrule_tables::{
    ColumnData, ColumnKind, ColumnRoles, DateOrder, Preparation, Table, TableFormat, TableReader,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, content)) = bytes.split_first() else { return };
    let reader = told(choice, TableReader::new(file_with("table", content)));
    let Ok(table) = reader.read() else { return };
    check(&table, content.len());
    table.summary();
    table.warnings(&table.columns().iter().take(2).collect::<Vec<_>>());
    prepare(&table);
});

fn told(choice: u8, mut reader: TableReader) -> TableReader {
    match choice & 7 {
        1 => reader = reader.delimiter(b";,\t :"[usize::from(choice >> 3) % 5]),
        2 => reader = reader.header(choice & 8 != 0),
        3 => reader = reader.without_quotes(),
        4 => reader = reader.decimal_comma(choice & 8 != 0),
        5 => reader = reader.date_order(DateOrder::DayFirst),
        6 => reader = reader.skip_lines(usize::from(choice >> 3) % 4),
        7 => reader = reader.kind_if_there("a", ColumnKind::ALL[usize::from(choice >> 3) % 7]),
        _ => {}
    }
    reader
}

/// That all columns have all rows, and there are no more values than the file justifies.
fn check(table: &Table, bytes: usize) {
    for column in table.columns() {
        match column.data() {
            ColumnData::Numbers(numbers) => assert_eq!(numbers.len(), table.rows()),
            ColumnData::Texts(texts) => assert_eq!(texts.len(), table.rows()),
        }
    }
    // Of a compressed file the bytes are more, and a file of Parquet is another target's.
    let source = table.source();
    assert!(
        source.compressed
            || source.format == TableFormat::Parquet
            || table.rows() * table.columns().len() <= 2 * bytes + 2
    );
    assert!((0..table.rows()).all(|row| table.line(row) >= 1));
}

fn prepare(table: &Table) {
    let target = &table.columns()[table.columns().len() - 1];
    let Ok(preparation) = ColumnRoles::new().target(target.name()).fit(table) else { return };
    let again = Preparation::from_text(&preparation.to_string()).expect("what was written can be read");
    assert_eq!(again.to_string(), preparation.to_string());
    assert_eq!(again.feature_names(), preparation.feature_names());
    if table.rows() * table.rows() > 1 << 16 {
        return;
    }
    let found = preparation.features::<f32>(table);
    assert_eq!(found.as_ref().ok(), again.features::<f32>(table).as_ref().ok());
    if let Ok(matrix) = found {
        assert_eq!(matrix.nrows(), table.rows());
        assert!(matrix.iter().all(|value| value.is_finite()));
    }
}
