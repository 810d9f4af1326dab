//! `chainrule data info` as a user runs it.

mod start;

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use serde_json::Value;

use start::chainrule;

const FLATS: &str = "Flats of 2024\n\nid;area;street;since;rooms;balcony\n1;50,5;Main St;01.02.2019;2;yes\n2;70;Elm St;15.07.2020;3;no\n\
    3;?;Main St;31.12.2021;3;yes\n";

fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("flats.csv");
    fs::write(&path, content).unwrap();
    (directory, path)
}

fn info(content: &str, arguments: &[&str]) -> Output {
    let (_directory, path) = file(content);
    chainrule().args(["data", "info"]).arg(path).args(arguments).output().unwrap()
}

fn shown(content: &str, arguments: &[&str]) -> (String, String) {
    let output = info(content, arguments);
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8(bytes.clone()).unwrap());
    assert!(output.status.success(), "{arguments:?}: {err}");
    (out, err)
}

#[test]
fn a_table_in_words() {
    let (out, err) = shown(FLATS, &[]);
    let lines: Vec<&str> = out.lines().collect();
    assert!(
        lines[0].ends_with(
            "flats.csv: 3 rows, 6 columns separated by semicolons, UTF-8, without the first 2 lines"
        ),
        "{out}"
    );
    let words: Vec<Vec<&str>> = lines[2..].iter().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["name", "kind", "missing", "distinct", "minimum", "maximum", "mean"]);
    assert_eq!(words[1][..3], ["id", "identifier", "0"]);
    assert_eq!(words[2], ["area", "number", "1", "2", "50.5", "70", "60.25", "decimal", "comma"]);
    assert_eq!(words[3][..4], ["street", "category", "0", "2"]);
    assert!(lines[5].ends_with("Main St (2), Elm St (1)"), "{out}");
    assert_eq!(words[4][..6], ["since", "date", "0", "3", "2019-02-01", "2021-12-31"]);
    assert_eq!(err, "warning: \"id\" names the rows: leave it out, or a model learns them by heart\n");
}

#[test]
fn a_table_as_an_object() {
    let content = format!("{FLATS}4;60;Elm St;15.07.2022;2;no\n");
    let (out, _) = shown(&content, &["--json", "--kind", "rooms=category", "--target", "balcony"]);
    let table: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&table["rows"], &table["skipped_lines"], &table["header"]),
        (&4.into(), &2.into(), &true.into())
    );
    let column = |index: usize| &table["columns"][index];
    assert_eq!(column(1)["maximum"], 70.0);
    assert_eq!(column(1)["missing"], 1);
    assert_eq!(column(2)["frequent"][0]["value"], "Main St");
    assert_eq!(column(2)["frequent"][0]["count"], 2);
    assert_eq!((&column(2)["minimum"], &column(3)["minimum"]), (&Value::Null, &"2019-02-01".into()));
    let kinds: Vec<&str> = (0..6).map(|index| column(index)["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["identifier", "number", "category", "date", "category", "boolean"]);
    let warnings = table["warnings"].to_string();
    assert!(warnings.contains("street") && warnings.contains("determines the target"), "{warnings}");
}

#[test]
fn what_it_is_told() {
    let content = "x\n1:01/02/2003:7\n2:03/04/2003:8\n";
    let (out, _) = shown(content, &["--delimiter", ":", "--header", "0", "--day-first"]);
    assert!(out.contains("2 rows, 3 columns separated by the given sign"), "{out}");
    let (out, err) = shown("d\n01/02/2003\n03/04/2003\n", &["--day-first"]);
    assert!(out.contains("2003-02-01") && !err.contains("the other way round"), "{out}{err}");
    let (out, _) = shown("a,b\n-999,1\n2,3\n", &["--missing", "-999", "--json"]);
    assert!(out.contains("\"missing\": 1"), "{out}");
    let (out, _) = shown("a\tb\n1,5\t2\n", &["--delimiter", "tab", "--decimal-comma"]);
    assert!(out.contains("decimal comma"), "{out}");
}

#[test]
fn mistakes_say_what_to_do() {
    for (content, arguments, expected) in [
        (FLATS, &["--target", "balkony"][..], "has no column \"balkony\"; the nearest is \"balcony\""),
        (FLATS, &["--kind", "area=numbr"], "no kind named `numbr`; the nearest is `number`"),
        (FLATS, &["--kind", "area"], "it has no `=`, as in age=number"),
        (FLATS, &["--kind", "street=number"], "line 4, column \"street\": \"Main St\" is not a number"),
        (FLATS, &["--delimiter", "::"], "one sign of ASCII, `tab` or `blanks`"),
        ("", &[], "holds no rows: check that it is the right file"),
    ] {
        let output = info(content, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

/// The program with an empty cache and without a directory of data.
fn data(directory: &std::path::Path, arguments: &[&str]) -> Output {
    chainrule()
        .arg("data")
        .args(arguments)
        .env_remove("CHAINRULE_DATA")
        .env("XDG_CACHE_HOME", directory.join("cache"))
        .current_dir(directory)
        .output()
        .unwrap()
}

#[test]
fn data_sets_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let output = data(directory.path(), &["list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["mnist", "fashion_mnist", "cifar10", "iris"] {
        assert!(text.lines().any(|line| line.split(' ').next() == Some(name)), "{text}");
    }
    let json = data(directory.path(), &["list", "--json"]);
    let list: Vec<Value> = serde_json::from_slice(&json.stdout).unwrap();
    let clothes = list.iter().find(|set| set["name"] == "fashion_mnist").unwrap();
    assert_eq!(
        (&clothes["format"], &clothes["here"], &clothes["classes"][9]),
        (&"mnist".into(), &false.into(), &"ankle boot".into())
    );
}

#[test]
fn an_unknown_data_set_is_told_the_nearest_one() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["download", "show"] {
        let output = data(directory.path(), &[command, "kmist"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("the nearest is `kmnist`"), "{said}");
    }
}

/// Four IDX files of pictures of 2 by 2 pixels, of classes 0 and 3.
fn write_idx(directory: &std::path::Path) {
    use chainrule::data::idx::{Idx, write};
    for part in ["train", "t10k"] {
        let images = Idx { axes: vec![3, 2, 2], values: (0..12).map(|value| value * 20).collect() };
        write(&directory.join(format!("{part}-images-idx3-ubyte")), &images).unwrap();
        let labels = Idx { axes: vec![3], values: vec![0, 3, 0] };
        write(&directory.join(format!("{part}-labels-idx1-ubyte")), &labels).unwrap();
    }
}

#[test]
fn samples_are_shown_in_a_row_for_each_class() {
    let directory = tempfile::tempdir().unwrap();
    write_idx(directory.path());
    let output = data(directory.path(), &["show", ".", "--out", "sheet.png", "--columns", "3"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("3 pictures [2, 2]; the sheet is sheet.png"), "{said}");
    let rows = String::from_utf8(output.stdout).unwrap();
    assert!(rows.contains("row 1         2 of 0\n") && rows.contains("row 4         1 of 3\n"), "{rows}");
    let png = fs::read(directory.path().join("sheet.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n"));
    // Four rows, to the largest label, and three columns, 48 pixels each, and the gaps between them.
    assert_eq!(png[16..24], [0, 0, 0, 152, 0, 0, 0, 202]);
}

#[test]
fn a_directory_without_pictures_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let output = data(directory.path(), &["show", "."]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("has no folders"), "{said}");
}
