//! What is said of data that are probably not meant.

use std::fs;
use std::path::Path;

use chainrule_config::Configuration;

use crate::{file, marks, refused};

const TABLE: &str = r#"
loss = "cross_entropy"
optimizer = "adam"
[data]
table = "a.csv"
target = "kind"
[model]
layers = ["dense(3)"]
"#;

fn notes(text: &str, directory: &Path, changes: &[&str]) -> Vec<String> {
    fs::write(directory.join("a.toml"), text).unwrap();
    let registry = chainrule::registry();
    let configuration = Configuration::read(directory.join("a.toml"), changes, &registry).unwrap();
    configuration.load_data(&registry).unwrap().notes
}

#[test]
fn a_part_that_is_another_or_lacks_a_class() {
    let row = |row: usize| format!("{}.5,{}\n", row * row, ["red", "green", "blue"][row % 3]);
    let rows = |rows: std::ops::Range<usize>| format!("size,kind\n{}", rows.map(row).collect::<String>());
    let directory = file("a.csv", &rows(0..30));
    let directory = directory.path();
    fs::write(directory.join("same.csv"), rows(0..30)).unwrap();
    fs::write(directory.join("other.csv"), rows(30..32)).unwrap();
    assert!(notes(TABLE, directory, &["data.test=0.3", "data.split=stratified"]).is_empty());
    let [same] = &notes(TABLE, directory, &["data.test=same.csv"])[..] else { panic!("one note") };
    assert!(same.starts_with("the data of the training and of the test are the same ("), "{same}");
    let [lacks] = &notes(TABLE, directory, &["data.validation=other.csv"])[..] else { panic!("one note") };
    assert!(lacks.starts_with("the data of the validation have no sample of \"blue\""), "{lacks}");
}

#[test]
fn images_of_the_training_as_the_test() {
    let directory = marks([30, 30]);
    let text = TABLE.replace("table = \"a.csv\"\ntarget = \"kind\"", "idx = \".\"");
    assert!(notes(&text, directory.path(), &[]).is_empty());
    let path = |part: &str| directory.path().join(format!("{part}-images-idx3-ubyte"));
    fs::copy(path("train"), path("t10k")).unwrap();
    let notes = notes(&text, directory.path(), &[]);
    assert_eq!(notes, ["the IDX files of the training and of the test are the same images"]);
}

#[test]
fn metrics_that_do_not_fit_are_named_with_their_place() {
    let rows: String =
        (0..40).map(|row| format!("{row},{}.5,{}\n", 2 * row, ["no", "yes"][row % 2])).collect();
    let directory = file("a.csv", &format!("size,price,left\n{rows}"));
    let numbers = TABLE
        .replace("\"kind\"", "\"price\"")
        .replace("cross_entropy", "huber")
        .replace("dense(3)", "dense(1)");
    let numbers = numbers.replace("[data]", "metrics = [\"r2\", \"accuracy\"]\n[data]");
    let error = refused(&numbers, directory.path(), &[]);
    let right = "a.toml, line 4, column 18: the metric accuracy takes the outputs for logits, but the loss, huber, takes them for values";
    assert!(error.contains(right) && error.contains("such as r2"), "{error}");
    let stopping = [
        "metrics=[\"r2\"]",
        "data.validation=0.2",
        "early_stopping={patience = 2, metric = \"r3\", better = \"higher\"}",
    ];
    let error = refused(&numbers, directory.path(), &stopping);
    assert!(error.contains("early stopping looks at \"r3\", but the training has only loss, r2"), "{error}");
    for metric in ["r2", "loss"] {
        let changed = stopping[2].replace("r3", metric);
        crate::trained(&numbers, directory.path(), &[stopping[0], stopping[1], &changed, "epochs=2"])
            .unwrap();
    }
    // A number as a class of each row.
    let error = refused(
        &numbers,
        directory.path(),
        &["loss=cross_entropy", "metrics=[]", "data.target_kind=classes", "data.test=0.2"],
    );
    assert!(error.contains("if \"price\" is an amount, take it for a number"), "{error}");
}
