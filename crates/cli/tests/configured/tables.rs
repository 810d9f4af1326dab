//! Tables of classes, numbers and labels.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use chainrule::tensor::Seed;
use serde_json::Value;

use crate::{directory, fails, flats, json, out, plants, run, text};

/// Whether a training with this test says that its samples were trained on.
fn warns_of_seen(directory: &Path, test: &str) -> bool {
    let setting = format!("data.{test}");
    let arguments =
        ["train", "plants.toml", "--set", "epochs=1", "--out", "seen.chainrule", "--set", &setting];
    let output = run(directory, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stderr).contains("training samples contain the")
}

#[test]
fn from_a_table_of_classes_to_predictions() {
    let new = "soil,leaf,id\nclay,2.0,a\nsand,5.1,b\nclay,,c\n".to_owned();
    let directory =
        directory(&[("plants.csv", plants(300, 1)), ("new.csv", new), ("more.csv", plants(80, 2))]);
    let directory = directory.path();
    out(directory, &["init", "plants.csv"]);
    let configuration = fs::read_to_string(directory.join("plants.toml")).unwrap();
    for line in
        ["table = \"plants.csv\"", "loss = \"cross_entropy\"", "split = \"stratified\"", "\"dense(3)\","]
    {
        assert!(configuration.contains(line), "{line} in\n{configuration}");
    }
    assert!(configuration.contains("\"id\" (identifier)"), "{configuration}");
    let rates = out(directory, &["train", "plants.toml", "--find-lr", "rates.svg"]);
    assert!(rates.starts_with("try --set optimizer.lr="), "{rates}");
    assert!(fs::read_to_string(directory.join("rates.svg")).unwrap().contains("learning rate of adam"));
    assert!(!directory.join("plants.chainrule").exists(), "nothing was trained");
    let said = run(directory, &["summary", "plants.toml", "-v"]);
    assert!(text(&said.stderr).contains("INFO the machine cores="), "{}", text(&said.stderr));
    let printed = out(directory, &["train", "plants.toml", "--set", "epochs=40", "--json", "report.json"]);
    assert!(printed.contains("ash, white") && printed.contains("saved       plants.chainrule"), "{printed}");
    assert!(!directory.join("plants.chainrule.checkpoint").exists());
    let report = json(directory, "report.json");
    assert!(report["scores"]["test"]["metrics"]["accuracy"].as_f64() > Some(0.9), "{report}");
    assert_eq!(report["scores"]["test"]["samples"], 45);
    assert_eq!(report["changes"][0], "epochs=40");
    let confusion = report["scores"]["test"]["confusion"].as_array().unwrap();
    let total: u64 = confusion.iter().flat_map(|row| row.as_array().unwrap()).filter_map(Value::as_u64).sum();
    assert_eq!(total, 45);

    assert!(!warns_of_seen(directory, "test=0.15"));
    assert!(warns_of_seen(directory, "test=plants.csv"), "a file that contains the training rows");
    assert!(!warns_of_seen(directory, "test=more.csv"));

    let predicted = out(directory, &["predict", "plants.chainrule", "new.csv"]);
    let lines: Vec<&str> = predicted.lines().collect();
    let header = "row,id,species,\"probability of ash, white\",probability of elm,probability of oak";
    assert_eq!((lines[0], lines.len()), (header, 4));
    assert!(lines[1].starts_with("1,a,elm,") && lines[2].starts_with("2,b,\"ash, white\","), "{predicted}");
    out(directory, &["predict", "plants.chainrule", "new.csv", "-o", "new.json"]);
    let objects = json(directory, "new.json");
    assert_eq!((&objects[0]["prediction"], &objects[1]["id"]), (&"elm".into(), &"b".into()));
    let sum: f64 = objects[2]["probabilities"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");

    let evaluated = out(directory, &["evaluate", "plants.chainrule", "more.csv", "--json"]);
    let evaluated: Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["samples"], 80);
    assert!(evaluated["metrics"]["accuracy"].as_f64() > Some(0.9), "{evaluated}");
    let summary = out(directory, &["summary", "plants.chainrule"]);
    assert!(summary.contains("predicts    species: ash, white, elm, oak"), "{summary}");
    assert!(summary.contains("from        leaf, soil"), "{summary}");

    fs::write(directory.join("wrong.csv"), "soil,leave\nclay,2\nsand,3\n").unwrap();
    let message = fails(directory, &["predict", "plants.chainrule", "wrong.csv"]);
    assert!(message.contains("it lacks the columns \"leaf\""), "{message}");
    assert!(message.contains("it has the columns \"leave\", which were not there"), "{message}");
    let message = fails(directory, &["evaluate", "plants.chainrule", "new.csv"]);
    assert!(message.contains("it lacks the columns \"species\""), "{message}");
}

#[test]
fn numbers_are_predicted_in_the_units_of_the_file() {
    let new = "area;town;balcony\n100;Ulm;no\n50;Munich;yes\n".to_owned();
    let directory = directory(&[("flats.csv", flats(500, 3)), ("test.csv", flats(100, 4)), ("new.csv", new)]);
    let directory = directory.path();
    out(directory, &["init", "flats.csv", "-o", "rents.toml"]);
    let arguments = [
        "train",
        "rents.toml",
        "--set",
        "data.test=test.csv",
        "--set",
        "epochs=60",
        "--json",
        "report.json",
        "--log",
        "log.csv",
    ];
    let printed = out(directory, &arguments);
    assert!(printed.contains("saved       rents.chainrule"), "{printed}");
    let report = json(directory, "report.json");
    assert!(report["scores"]["test"]["metrics"]["r2"].as_f64() > Some(0.95), "{report}");
    // While it is learnt, the loss is that of targets with deviation 1, but metrics are in the units of the file.
    let last = report["epochs"].as_array().unwrap().last().unwrap();
    assert!(last["validation"]["loss"].as_f64() < Some(0.1), "{last}");
    assert!(last["validation"]["metrics"]["mean_absolute_error"].as_f64() > Some(10.0), "{last}");
    assert!(report["scores"]["test"]["loss"].as_f64() > Some(100.0), "{report}");
    let log = fs::read_to_string(directory.join("log.csv")).unwrap();
    assert_eq!(log.lines().count(), 1 + report["epochs"].as_array().unwrap().len());

    let evaluated = out(directory, &["evaluate", "rents.chainrule", "test.csv", "--json"]);
    let evaluated: Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["loss"], report["scores"]["test"]["loss"]);
    let predicted = out(directory, &["predict", "rents.chainrule", "new.csv"]);
    let rents: Vec<f64> =
        predicted.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect();
    assert!((rents[0] - 1200.0).abs() < 150.0 && (rents[1] - 1050.0).abs() < 150.0, "{predicted}");
}

/// The whole job with a file of Parquet, of which a column is what the file says.
#[test]
fn parquet_files_are_tables_like_others() {
    let directory = directory(&[]);
    let directory = directory.path();
    let parquet = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tables/tests/tables/reference/parquet");
    for (from, to) in [("snappy", "trees"), ("encodings", "new")] {
        let to = directory.join(to).with_extension("parquet");
        fs::copy(parquet.join(from).with_extension("parquet"), to).unwrap();
    }
    let shown: Value =
        serde_json::from_str(&out(directory, &["data", "info", "trees.parquet", "--json"])).unwrap();
    assert_eq!((&shown["format"], &shown["rows"]), (&"parquet".into(), &150.into()));
    assert_eq!(shown["delimiter"], Value::Null);
    assert!(out(directory, &["data", "info", "trees.parquet"]).contains("150 rows, 22 columns, Parquet"));
    out(directory, &["init", "trees.parquet", "--target", "yes"]);
    out(directory, &["train", "trees.toml", "--set", "epochs=2"]);
    let predicted = out(directory, &["predict", "trees.chainrule", "new.parquet"]);
    assert_eq!(predicted.lines().count(), 151, "{predicted}");
    assert_eq!(predicted, out(directory, &["predict", "trees.chainrule", "trees.parquet"]));
}

#[test]
fn yes_or_no_and_several_targets() {
    let mut rng = Seed(5).rng();
    let mut table = String::from("a,b,left,right,both\n");
    for _ in 0..240 {
        let (a, b) = (rng.normal(), rng.normal());
        let word = |yes: bool| if yes { "yes" } else { "no" };
        writeln!(table, "{a:.3},{b:.3},{},{},{:.3}", word(a > 0.0), word(b > 0.0), a + b).unwrap();
    }
    let directory = directory(&[("sides.csv", table), ("new.csv", "a,b\n2,-2\n".to_owned())]);
    let directory = directory.path();
    out(directory, &["init", "sides.csv", "--target", "left"]);
    let ignore = ["--set", "data.ignore=[\"right\", \"both\"]", "--set", "epochs=30"];
    out(directory, &[&["train", "sides.toml"][..], &ignore].concat());
    let predicted = out(directory, &["predict", "sides.chainrule", "new.csv"]);
    assert!(predicted.starts_with("row,left,probability of no,probability of yes\n1,yes,"), "{predicted}");

    let several = [
        "train",
        "sides.toml",
        "--out",
        "labels.chainrule",
        "--set",
        "data.target=[\"left\", \"right\"]",
        "--set",
        "data.ignore=[\"both\"]",
        "--set",
        "data.split=random",
        "--set",
        "metrics=[\"binary_accuracy(labels=true)\"]",
    ];
    let message = fails(directory, &several);
    assert!(message.contains("so the model has 1 output, which does not fit 2 targets"), "{message}");
    let layers = ["--set", "model.layers.4.units=2", "--set", "epochs=30"];
    out(directory, &[&several[..], &layers].concat());
    let predicted = out(directory, &["predict", "labels.chainrule", "new.csv"]);
    assert!(
        predicted.starts_with("row,left,right,probability of left,probability of right\n1,true,false,"),
        "{predicted}"
    );
}

/// A rent and whether there is a balcony, by one model.
#[test]
fn several_outputs_are_trained_and_predicted() {
    let new = "area;town\n100;Ulm\n50;Munich\n".to_owned();
    let directory = directory(&[("flats.csv", flats(300, 7)), ("test.csv", flats(60, 8)), ("new.csv", new)]);
    let directory = directory.path();
    out(directory, &["init", "flats.csv", "--target", "rent", "--target", "town"]);
    let configuration = fs::read_to_string(directory.join("flats.toml")).unwrap();
    assert!(
        configuration.contains("[output.rent]") && configuration.contains("[output.town]"),
        "{configuration}"
    );
    let changes =
        ["--set", "epochs=40", "--set", "data.ignore=[\"balcony\"]", "--set", "output.town.weight=0.1"];
    let files = ["--json", "report.json", "--report", "report.html", "--log", "log.csv"];
    let printed = out(directory, &[&["train", "flats.toml"][..], &changes, &files].concat());
    assert!(printed.contains("rent r2") && printed.contains("town accuracy"), "{printed}");
    let report = json(directory, "report.json");
    let test = &report["scores"]["test"];
    assert!(test["metrics"]["rent mean_absolute_error"].as_f64() > Some(10.0), "in euros: {test}");
    assert!(
        report["epochs"][0]["validation"]["metrics"]["town accuracy"].is_number(),
        "{}",
        report["epochs"][0]
    );
    let outputs = serde_json::json!([{ "name": "rent", "classes": null }, { "name": "town", "classes": ["Munich", "Ulm"] }]);
    assert_eq!(report["predicts"]["outputs"], outputs);
    let page = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(page.contains("A model of rent, town") && page.contains("rent r2"));
    out(directory, &["report", "report.json", "-o", "again.html"]);
    let summary = out(directory, &["summary", "flats.chainrule"]);
    assert!(summary.contains("predicts    rent, town (Munich, Ulm)"), "{summary}");
    assert!(summary.contains("loss        of town: binary_cross_entropy, which counts 0.1"), "{summary}");
    let evaluated = out(directory, &["evaluate", "flats.chainrule", "test.csv", "--json"]);
    let evaluated: Value = serde_json::from_str(&evaluated).unwrap();
    assert_eq!(evaluated["samples"], 60);
    assert!(evaluated["metrics"]["town auroc"].is_number(), "{evaluated}");
    let predicted = out(directory, &["predict", "flats.chainrule", "new.csv"]);
    let header = "row,rent,town,probability of town Munich,probability of town Ulm\n1,";
    assert!(predicted.starts_with(header), "{predicted}");
    out(directory, &["predict", "flats.chainrule", "new.csv", "-o", "new.json"]);
    let objects = json(directory, "new.json");
    assert!(objects[1]["prediction"]["rent"].is_number() && objects[1]["prediction"]["town"].is_string());
    assert!(objects[0]["probabilities"]["town"]["Ulm"].is_number(), "{objects}");
}
