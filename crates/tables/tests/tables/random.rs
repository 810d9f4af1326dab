//! Damaged files: what is read of them is consistent, and none ends in a panic. `cargo xtask fuzz table` tries many more.

use chainrule_tables::{ColumnData, ColumnRoles, Preparation, Table, TableReader};
use chainrule_tensor::{Rng, Seed};

use crate::TestFile;

const FILES: [&[u8]; 10] = [
    b"a,b,c\n1,2.5,x\n3,NA,y\n-4,?,x\n",
    b"a;b\n1,5;01.02.2003\n1.234,5;13.02.2003\n;\n",
    b"'a b' c\n 1   2\n3  4\n",
    b"\"a\", \"b\"\n1, \"x, \"\"y\"\"\n\"\n2, \"z\\\" w\"\n",
    b"a b\nr1 1 2\nr2 3 4\n",
    b"3,2,x,y\n1,2,0\n2,3,1\n3,4,1\n",
    b"Report\n\n# x\na|b|c\n$1|2%|yes\n3|?|no\n",
    b"t,u,v\n2010-01-01T00:30:00+01:00,1974Q1,Jan 1 2000\n2011-01-01 12:00,1974Q2,Feb 2 2001\n",
    b"\xFF\xFEa\0\t\0b\0\n\x001\0\t\0\xE9\0\n\0",
    b"a,1980,1985,1990\n\xE9,1e400,-0,inf\n\x80,16777217.0000000001,1e-320,2\n",
];

/// Bytes that are more often between fields than within them.
const SIGNS: &[u8] = b",;\t| \n\r\"'\\#.-+%:/0159eE?\xE9\0";

fn damaged(rng: &mut Rng) -> Vec<u8> {
    let mut bytes = FILES[rng.below(FILES.len())].to_vec();
    for _ in 0..1 + rng.below(6) {
        let [start, end] = [0; 2].map(|_| rng.below(bytes.len() + 1));
        let (start, end) = (start.min(end), start.max(end));
        match rng.below(5) {
            0 => drop(bytes.drain(start..end)),
            1 => bytes
                .splice(start..start, FILES[rng.below(FILES.len())].iter().copied().take(30))
                .for_each(drop),
            2 => bytes = [&bytes[..end], &bytes[start..]].concat(),
            _ => bytes.insert(start, SIGNS[rng.below(SIGNS.len())]),
        }
    }
    bytes
}

fn told(rng: &mut Rng, reader: TableReader) -> TableReader {
    match rng.below(8) {
        0 => reader.delimiter(b";,\t :|"[rng.below(6)]),
        1 => reader.header(rng.below(2) == 0),
        2 => reader.without_quotes(),
        3 => reader.decimal_comma(rng.below(2) == 0),
        4 => reader.skip_lines(rng.below(3)),
        5 => reader.header_line(rng.below(4) as u64),
        _ => reader,
    }
}

#[test]
fn damaged_files_are_read_or_refused() {
    let file = TestFile::new("");
    let mut rng = Seed(5).rng();
    let (mut read, mut prepared) = (0, 0);
    for _ in 0..1_500 {
        let bytes = damaged(&mut rng);
        std::fs::write(&file.path, &bytes).unwrap();
        let Ok(table) = told(&mut rng, TableReader::new(&file.path)).read() else { continue };
        read += 1;
        assert!(table.rows() * table.columns().len() <= 2 * bytes.len() + 2);
        for column in table.columns() {
            let rows = match column.data() {
                ColumnData::Numbers(numbers) => numbers.len(),
                ColumnData::Texts(texts) => texts.len(),
            };
            assert_eq!(rows, table.rows());
        }
        prepared += usize::from(makes_matrix(&table));
    }
    // Most are read, and of many a matrix is made.
    assert!(read > 750 && prepared > 250, "{read}, {prepared}");
}

/// Whether a matrix is made of a table; its preparation is the same after it is written and read.
fn makes_matrix(table: &Table) -> bool {
    assert_eq!(table.summary().len(), table.columns().len());
    let target = table.columns().last().unwrap();
    table.warnings(&[target]);
    let Ok(preparation) = ColumnRoles::new().target(target.name()).fit(table) else { return false };
    let again = Preparation::from_text(&preparation.to_string()).unwrap();
    assert_eq!(again.to_string(), preparation.to_string());
    let matrix = preparation.features::<f32>(table);
    assert_eq!(matrix.as_ref().ok(), again.features::<f32>(table).as_ref().ok());
    matrix.is_ok_and(|matrix| matrix.ncols() == preparation.feature_names().unwrap().len())
}
