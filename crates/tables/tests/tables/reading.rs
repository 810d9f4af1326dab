//! Files of every kind, made up, and what is read from them.

use std::io::Write;

use chainrule_tables::{
    ColumnData, ColumnKind, DateOrder, Encoding, Table, TableColumn, TableFormat, TableReader, TableWarning,
    date_text,
};

use crate::TestFile;

/// A column in words: its name, the first letter of its kind, and its values.
fn words(column: &TableColumn) -> String {
    let values: Vec<String> = match column.data() {
        ColumnData::Numbers(numbers) => {
            let text = |&value: &f64| match column.kind() {
                _ if value.is_nan() => "-".to_owned(),
                ColumnKind::Date => date_text(value),
                _ => value.to_string(),
            };
            numbers.values().iter().map(text).collect()
        }
        ColumnData::Texts(texts) => {
            (0..texts.len()).map(|row| texts.get(row).unwrap_or("-").to_owned()).collect()
        }
    };
    format!("{} {}: {}", column.name(), column.kind(), values.join(" "))
}

fn read(content: impl AsRef<[u8]>) -> Vec<String> {
    let file = TestFile::new(content);
    let table = Table::read(&file.path).unwrap_or_else(|error| panic!("{error}"));
    table.columns().iter().map(words).collect()
}

#[test]
fn every_kind_of_file() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("a header", "a,b\n1,2\n3,4.5\n", &["a number: 1 3", "b number: 2 4.5"]),
        ("none", "1,2\n3,4\n5,6", &["column 1 number: 1 3 5", "column 2 number: 2 4 6"]),
        ("a byte order mark", "\u{FEFF}a,b\r\n1,2\r\n3,4\r\n", &["a number: 1 3", "b number: 2 4"]),
        ("the classic Mac OS", "a,b\r1,2\r3,4\r", &["a number: 1 3", "b number: 2 4"]),
        ("semicolons and decimal commas", "a;b\n1,5;2\n2,25;3\n", &["a number: 1.5 2.25", "b number: 2 3"]),
        ("tabs", "a\tb c\n1\tx y\n2\tx y\n3\tz\n4\tz\n", &["a number: 1 2 3 4", "b c category: x y x y z z"]),
        ("bars", "a|b\n1|2\n3|4\n", &["a number: 1 3", "b number: 2 4"]),
        (
            "any number of blanks",
            "  a    b\n 1.5   2\n10.25  -3\n",
            &["a number: 1.5 10.25", "b number: 2 -3"],
        ),
        ("blanks and quotes", "'a b' c\n1 2\n3 4\n", &["a b number: 1 3", "c number: 2 4"]),
        (
            "blanks before quotes",
            "\"a\", \"b, c\"\n1, \"2\"\n3, \"4\"\n",
            &["a number: 1 3", "b, c number: 2 4"],
        ),
        (
            "quotes",
            "a,b\n1,\"x, \"\"y\"\"\nz\"\n2,q\n1,q\n",
            &["a number: 1 2 1", "b category: x, \"y\"\nz q q"],
        ),
        (
            "backslashes",
            "a,b\n1,\"x \\\"y\\\" z, u\"\n2,\"w\"\n1,w\n",
            &["a number: 1 2 1", "b category: x \"y\" z, u w w"],
        ),
        ("names of rows", "a b\nr1 1 2\nr2 3 4\n", &["a number: 1 3", "b number: 2 4"]),
        ("a delimiter at the end", "a,b\n1,2,\n3,4,\n", &["a number: 1 3", "b number: 2 4"]),
        (
            "counts and classes",
            "3,2,x,y\n1,2.5,0\n5,3.5,1\n2,4.5,1\n",
            &["column 1 number: 1 5 2", "column 2 number: 2.5 3.5 4.5", "column 3 number: 0 1 1"],
        ),
        (
            "a table of counts by numbers",
            "\"\",\"16.5\",\"16.75\",\"17.25\"\n\"71\",0,4,1\n\"70\",2,5,0\n\"68\",2,0,3\n",
            &[
                "column 1 number: 71 70 68",
                "16.5 number: 0 2 2",
                "16.75 number: 4 5 0",
                "17.25 number: 1 0 3",
            ],
        ),
        (
            "no value at the beginning",
            ",7,3\n1,2,5\n5,4,6\n2,1,1\n",
            &["column 1 number: - 1 5 2", "column 2 number: 7 2 4 1", "column 3 number: 3 5 6 1"],
        ),
        (
            "counts before the header",
            "3,2\n\"id\",\"z\"\n1,2.5\n4,3.5\n7,4\n",
            &["id identifier: 1 4 7", "z number: 2.5 3.5 4"],
        ),
        (
            "pairs of numbers",
            "3,2\n1,2.5\n4,3.5\n7,4\n",
            &["column 1 number: 3 1 4 7", "column 2 number: 2 2.5 3.5 4"],
        ),
        (
            "the declarations of ARFF",
            "% made by hand\n\n@RELATION 'two things'\n@attribute height NUMERIC\n@attribute 'kind of it' {'a b', c}\n\n@Data\n1.5,'a b'\n?,c\n% no row\n2, 'it\\'s'\n3,?\n4,c\n",
            &["height number: 1.5 - 2 3 4", "kind of it category: a b c it's - c"],
        ),
        (
            "apostrophes in ARFF",
            "@relation r\n@attribute colour{red,blue}\n@attribute n real\n@data\n% that's a comment\n\"red\",1\n\"it's, too\",2\n\"red\",5\n",
            &["colour category: red it's, too red", "n number: 1 2 5"],
        ),
        (
            "no value at the beginning, and a time",
            ",7.5,8.5,9.5\n2,2.5,1,3\n3,4.5,2,2\n7,1.5,3,1\n",
            &[
                "column 1 number: - 2 3 7",
                "column 2 number: 7.5 2.5 4.5 1.5",
                "column 3 number: 8.5 1 2 3",
                "column 4 number: 9.5 3 2 1",
            ],
        ),
        (
            "lines before the header",
            "Report of 2020\n\nSource: us\na,b,c\n1,2,3\n2,5,6\n",
            &["a number: 1 2", "b number: 2 5", "c number: 3 6"],
        ),
        ("comments", "# made by hand\n# in 2020\na,b\n1,2\n#3,4\n3,5\n", &["a number: 1 3", "b number: 2 5"]),
        (
            "a header that is a comment",
            "# a b c\n1 2 3\n4 5 6\n",
            &["a number: 1 4", "b number: 2 5", "c number: 3 6"],
        ),
        (
            "years as names",
            "land,2000,2001,2002\nA,1.5,2.5,3.5\nB,1,2,3\nA,0,0,7\n",
            &["land category: A B A", "2000 number: 1.5 1 0", "2001 number: 2.5 2 0", "2002 number: 3.5 3 7"],
        ),
        (
            "years further apart",
            "\"\",\"1940\",\"1945\"\n\"Food\",22.2,44.5\n\"Health\",3.5,5.76\n",
            &["column 1 category: Food Health", "1940 number: 22.2 3.5", "1945 number: 44.5 5.76"],
        ),
        (
            "names twice and none",
            "a,a,\n1,2,3\n2,4,5\n",
            &["a number: 1 2", "a.1 number: 2 4", "column 3 number: 3 5"],
        ),
        (
            "missing values",
            "a,b,c\nNA,?,x\n1.5,2,\n,.,y\nnan,-,NULL\n2,1,x\n",
            &["a number: - 1.5 - - 2", "b number: - 2 - - 1", "c category: x - y - x"],
        ),
        ("a sign that is not missing", "a,b\n+,1\n-,2\n-,5\n", &["a category: + - -", "b number: 1 2 5"]),
        (
            "thousands",
            "a;b\n1,234,567;1 000\n12;2 500 000\n",
            &["a number: 1234567 12", "b number: 1000 2500000"],
        ),
        (
            "thousands with points",
            "a;b\n1.500;0,5\n20.000;1,5\n",
            &["a number: 1500 20000", "b number: 0.5 1.5"],
        ),
        ("per cent", "a,b\n12.5%,1\n50 %,3\n", &["a number: 0.125 0.5", "b number: 1 3"]),
        ("currencies", "a\tb\n$1,200.50\t2\n$3\t4\n", &["a number: 1200.5 3", "b number: 2 4"]),
        (
            "booleans",
            "a,b,c\ntrue,Y,T\nFALSE,N,F\n,Y,\n",
            &["a boolean: 1 0 -", "b boolean: 1 0 1", "c boolean: 1 0 -"],
        ),
        ("no booleans", "a,b\nF,1\nM,2\nF,5\n", &["a category: F M F", "b number: 1 2 5"]),
        (
            "dates",
            "a,b\n1959-01-31,1974Q1\n1960-02-29,1974Q2\n",
            &["a date: 1959-01-31 1960-02-29", "b date: 1974-01-01 1974-04-01"],
        ),
        (
            "times",
            "t,v\n2010/01/01 06:00,1\n2010/01/01 18:30,3\n",
            &["t date: 2010-01-01 06:00:00 2010-01-01 18:30:00", "v number: 1 3"],
        ),
        (
            "a column of dates",
            "day\n2012-01-01 00:00:00\n2012-01-02 00:00:00\n",
            &["day date: 2012-01-01 2012-01-02"],
        ),
        ("one column", "x\n1\n\n2\n", &["x number: 1 2"]),
        ("one row", "7,8\n", &["column 1 number: 7", "column 2 number: 8"]),
        (
            "words alone",
            "name,town\nAnn,Rome\nBob,Oslo\nAnn,Oslo\n",
            &["name category: Ann Bob Ann", "town category: Rome Oslo Oslo"],
        ),
        (
            "constant",
            "a,b,c\n1,x,\n1,x,\n1,x,\n",
            &["a constant: 1 1 1", "b constant: x x x", "c constant: - - -"],
        ),
        (
            "short rows",
            "a,b,c\n1,2\n3,4,5\n4,5,6\n",
            &["a number: 1 3 4", "b number: 2 4 5", "c number: - 5 6"],
        ),
        ("rows without values", "a,b\n,\n1,2\n", &["a number: - 1", "b number: - 2"]),
        ("infinite numbers", "a,b\ninf,1\n-Infinity,3\n", &["a number: inf -inf", "b number: 1 3"]),
    ];
    for (what, content, expected) in cases {
        assert_eq!(read(content), *expected, "{what}");
    }
}

#[test]
fn encodings_and_compression() {
    let text = "größe,name\n1,Zoë\n2,Zoë\n4,x\n";
    let expected = ["größe number: 1 2 4", "name category: Zoë Zoë x"];
    let latin: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).unwrap()).collect();
    let units: Vec<u16> = text.encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit| unit.to_be_bytes()).collect();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let cases = [
        (text.as_bytes().to_vec(), Encoding::Utf8),
        (latin, Encoding::Latin1),
        (little, Encoding::Utf16Le),
        (big, Encoding::Utf16Be),
        (gzip.finish().unwrap(), Encoding::Utf8),
    ];
    for (bytes, encoding) in cases {
        assert_eq!(read(&bytes), expected, "{encoding}");
        let format = Table::read(&TestFile::new(&bytes).path).unwrap().source().format;
        assert!(
            matches!(format, TableFormat::Text { encoding: found, .. } if found == encoding),
            "{format:?}"
        );
    }
    assert_eq!(
        read(b"a,b\n\x80 \x93x\x94,1\n\x80 \x93x\x94,3\ny,1\n"),
        ["a category: € “x” € “x” y", "b number: 1 3 1"]
    );
}

#[test]
fn what_a_reader_is_told() {
    let file = TestFile::new("x\n1;2,5;01/02/2003;7\n3;1,250;05/06/2007;7\n");
    let table = TableReader::new(&file.path)
        .header(false)
        .skip_lines(1)
        .decimal_comma(true)
        .date_order(DateOrder::DayFirst)
        .kind("column 1", ColumnKind::Category)
        .kind_if_there("column 9", ColumnKind::Text)
        .read()
        .unwrap();
    let found: Vec<String> = table.columns().iter().map(words).collect();
    let expected = [
        "column 1 category: 1 3",
        "column 2 number: 2.5 1.25",
        "column 3 date: 2003-02-01 2007-06-05",
        "column 4 constant: 7 7",
    ];
    assert_eq!(found, expected);
    assert_eq!(table.line(1), 3);
    // The other way round it is thousands.
    let table = TableReader::new(&file.path).header_line(2).decimal_comma(false).read().unwrap();
    assert_eq!(words(&table.columns()[1]), "2,5 number: 1250");
    let file = TestFile::new("a,b\n-999,x\n1.5,none given\n-999,x\n");
    let table = TableReader::new(&file.path).missing("-999").missing("none given").read().unwrap();
    assert_eq!(
        table.columns().iter().map(words).collect::<Vec<_>>(),
        ["a number: - 1.5 -", "b category: x - x"]
    );
    let file = TestFile::new("a:b\n'1:2\n3:4\n");
    let table = TableReader::new(&file.path).delimiter(b':').without_quotes().read().unwrap();
    assert_eq!(table.columns().iter().map(words).collect::<Vec<_>>(), ["a category: '1 3", "b number: 2 4"]);
}

#[test]
fn errors_say_where_and_what_to_do() {
    let error = |reader: TableReader| reader.read().unwrap_err().to_string();
    let of = |content: &str, set: fn(TableReader) -> TableReader| {
        let file = TestFile::new(content);
        error(set(TableReader::new(&file.path)))
    };
    type Told = fn(TableReader) -> TableReader;
    let cases: [(&str, &str, Told); 15] = [
        ("the delimiter \"\\\\xe9\" cannot be used: use a sign of ASCII", "a\u{e9}b\n1\u{e9}2\n", |reader| {
            reader.delimiter(0xE9)
        }),
        ("the sign of comments", "a,b\n", |reader| reader.comment(b'\n')),
        ("holds no rows", "", |reader| reader),
        ("holds no rows", "a,b\n", |reader| reader),
        ("holds no rows", "\n \n", |reader| reader),
        (
            "line 602: the row has 3 fields, but the table has 2 columns separated by commas",
            "long",
            |reader| reader,
        ),
        (
            "line 3: a field that begins with a quotation mark does not end",
            "a,b\n1,2\n3,\"4\n5,6\n",
            |reader| reader,
        ),
        ("line 3, column \"a\": \"x\" is not a number", "a,b\n1,2\nx,4\n", |reader| {
            reader.kind("a", ColumnKind::Number)
        }),
        ("line 2, column \"a\": \"1,5,2\" is not a number", "a;b\n1,5,2;2\n", |reader| {
            reader.kind("a", ColumnKind::Number)
        }),
        ("line 3, column \"a\": \"x\" is not a date", "a,b\n1/2/2000,2\nx,4\n", |reader| {
            reader.kind("a", ColumnKind::Date)
        }),
        ("\"2\" is not true or false", "a,b\n1,2\n2,4\n", |reader| reader.kind("a", ColumnKind::Boolean)),
        ("no column \"area\"; the nearest is \"are\"", "are,b\n1,2\n", |reader| {
            reader.kind("area", ColumnKind::Number)
        }),
        (
            "a zip archive, as spreadsheets are, not a text with a row per line: unpack it",
            "PK\u{3}\u{4}",
            |reader| reader,
        ),
        ("a Parquet file: its end (it may have been cut off) is damaged", "PAR1...", |reader| reader),
        ("binary", "a,b\0\n", |reader| reader),
    ];
    for (expected, content, set) in cases {
        let long = format!("a,b\n{}1,2,3\n", "1,2\n".repeat(600));
        let found = of(if content == "long" { &long } else { content }, set);
        assert!(found.contains(expected), "{found}");
    }
    assert!(error(TableReader::new("/nowhere/at/all.csv")).contains("cannot read /nowhere/at/all.csv"));
}

#[test]
fn memory_is_that_of_the_file() {
    // A header of very many columns, and rows of one field each, would be a hundred million values.
    let wide = format!("{}\n{}", "a,".repeat(10_000), "1\n".repeat(10_000));
    let error = Table::read(&TestFile::new(wide).path).unwrap_err().to_string();
    assert!(error.contains("give the delimiter or the header's line"), "{error}");
    let error = Table::read(&TestFile::new("1,".repeat(200_000)).path).unwrap_err().to_string();
    assert!(error.contains("more than 131072 fields: give the delimiter"), "{error}");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b'0'; 1 << 20];
    (0..64).for_each(|_| gzip.write_all(&zeros).unwrap());
    let error = Table::read(&TestFile::new(gzip.finish().unwrap()).path).unwrap_err().to_string();
    assert!(error.contains("more than 250 times its own bytes"), "{error}");
    let mut damaged = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    damaged.write_all(b"a,b\n1,2\n").unwrap();
    let mut damaged = damaged.finish().unwrap();
    damaged.truncate(damaged.len() - 4);
    let error = Table::read(&TestFile::new(damaged).path).unwrap_err().to_string();
    assert!(error.contains("is a damaged gzip file"), "{error}");
}

#[test]
fn figures_and_warnings() {
    let rows: String = (0..12)
        .map(|row| {
            format!(
                "{row},{},{},{},7,{}\n",
                row % 3,
                (row % 3) * 2,
                ["no", "yes"][row % 2],
                if row < 4 { "1" } else { "" }
            )
        })
        .collect();
    let file = TestFile::new(format!("id,a,twice,b,same,rare\n{rows}11,2,4,yes,7,\n"));
    let table = Table::read(&file.path).unwrap();
    let summary = table.summary();
    let a = &summary[1];
    assert_eq!((a.missing, a.distinct, a.minimum, a.maximum), (0, 3, Some(0.0), Some(2.0)));
    assert_eq!(a.mean, Some(14.0 / 13.0));
    let column = |name: &str| name.to_owned();
    let warnings = table.warnings(&[table.column("a").unwrap()]);
    for expected in [
        TableWarning::Constant { column: column("same") },
        TableWarning::IsTarget { column: column("twice"), target: column("a") },
        TableWarning::MostlyMissing { column: column("rare"), missing: 9 },
        TableWarning::Duplicates { rows: 1 },
    ] {
        assert!(warnings.contains(&expected), "{expected:?}: {warnings:?}");
    }
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    let table = Table::read(&TestFile::new("d,x\n1/2/2003,inf\n3/4/2005,1\n").path).unwrap();
    let warnings = table.warnings(&[]);
    assert_eq!(
        warnings,
        [
            TableWarning::AmbiguousDates { column: column("d") },
            TableWarning::Infinite { column: column("x"), rows: 1 }
        ]
    );
}

#[test]
fn a_large_file_is_read_in_parts() {
    // Enough for two threads, with blank lines between.
    let row =
        |row: usize| format!("{row},{:.3},{}\n", row as f64 / 4.0, if row % 1000 == 7 { "\n" } else { "" });
    let rows: String = (0..500_000).map(row).collect();
    assert!(rows.len() > 8 << 20, "{}", rows.len());
    let file = TestFile::new(format!("a,b,c\n{rows}"));
    let table = Table::read(&file.path).unwrap();
    assert_eq!(table.rows(), 500_000);
    let [a, b] = ["a", "b"].map(|name| table.column(name).unwrap().numbers().unwrap().values());
    assert!((0..500_000).all(|row| a[row] == row as f64 && b[row] == row as f64 / 4.0));
    assert_eq!((table.line(7), table.line(8), table.line(499_999)), (9, 11, 500_501));
    let file = TestFile::new(format!("a,b,c\n{rows}x,1,\n1,2,3,4\n"));
    let error = Table::read(&file.path).unwrap_err().to_string();
    assert!(error.contains("line 500503: the row has 4 fields"), "{error}");
    let file = TestFile::new(format!("a,b,c\n{rows}x,1,\n"));
    let error = TableReader::new(&file.path).kind("a", ColumnKind::Number).read().unwrap_err().to_string();
    assert!(error.contains("line 500502, column \"a\": \"x\" is not a number"), "{error}");
}
