//! Parquet files, read, summed up and prepared. The first byte chooses what the reader is told. An input without the four bytes at the
//! beginning and the end of every file gets them, and the length of its footer, which are hard to find by chance.
#![no_main]

use chainrule_fuzz::file_with;
use chainrule_tables::{ColumnData, ColumnKind, ColumnRoles, Table, TableReader};
use libfuzzer_sys::fuzz_target;

const MAGIC: &[u8] = b"PAR1";

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, content)) = bytes.split_first() else { return };
    let content = if content.starts_with(MAGIC) { content.to_vec() } else { framed(content) };
    let mut reader = TableReader::new(file_with("parquet", &content));
    if choice & 1 == 1 {
        reader = reader.kind_if_there("a", ColumnKind::ALL[usize::from(choice >> 1) % 7]).missing("3");
    }
    let Ok(table) = reader.read() else { return };
    check(&table, content.len());
    if table.rows() * table.columns().len() > 1 << 12 {
        return;
    }
    table.summary();
    table.warnings(&table.columns().iter().take(2).collect::<Vec<_>>());
    let target = &table.columns()[table.columns().len() - 1];
    let Ok(preparation) = ColumnRoles::new().target(target.name()).fit(&table) else { return };
    if table.rows() * table.rows() <= 1 << 12 {
        let _ = preparation.features::<f32>(&table);
    }
});

/// A file with these bytes; the first says what share of them the footer is.
fn framed(content: &[u8]) -> Vec<u8> {
    let footer = content.first().map_or(0, |&byte| content.len() * usize::from(byte) / 255);
    let footer = u32::try_from(footer).expect("an input has no gigabytes");
    [MAGIC, content, &footer.to_le_bytes(), MAGIC].concat()
}

/// That all columns have all rows, and there are no more values than the file justifies.
fn check(table: &Table, bytes: usize) {
    for column in table.columns() {
        match column.data() {
            ColumnData::Numbers(numbers) => assert_eq!(numbers.len(), table.rows()),
            ColumnData::Texts(texts) => assert_eq!(texts.len(), table.rows()),
        }
    }
    assert!(table.rows() * table.columns().len() <= (250 * bytes).max(1 << 21));
}
