//! Trainings that end at a time, go on, and run side by side.

use std::fs;

use serde_json::Value;

use crate::{directory, fails, flats, json, out, plants, run, text};

#[test]
fn epochs_fit_into_a_time() {
    let directory = directory(&[("flats.csv", flats(300, 5))]);
    let directory = directory.path();
    out(directory, &["init", "flats.csv"]);
    let arguments =
        ["train", "flats.toml", "--for", "2s", "--json", "report.json", "--report", "report.html"];
    let output = run(directory, &arguments);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report = json(directory, "report.json");
    let epochs: u64 =
        report["changes"][0].as_str().unwrap().strip_prefix("epochs=").unwrap().parse().unwrap();
    assert!(said.contains(&format!("{epochs} epochs: so many of about ")), "{said}");
    assert!(report["epochs"].as_array().unwrap().len() as u64 <= epochs && epochs > 1, "{report}");
    // A person's page shows predictions and what is left over.
    let page = fs::read_to_string(directory.join("report.html")).unwrap();
    assert!(page.contains("<section id=\"values\">") && !page.contains("<section id=\"confusion\">"));
    let message = fails(directory, &["train", "flats.toml", "--for", "0.000001s"]);
    assert!(
        message.contains("an epoch takes about ") && message.contains("more than the 0.0 s of --for"),
        "{message}"
    );
}

#[test]
fn a_training_is_validated_within_epochs() {
    let directory = directory(&[("plants.csv", plants(200, 3))]);
    let directory = directory.path();
    out(directory, &["init", "plants.csv"]);
    let common =
        ["--set", "batch_size=10", "--set", "early_stopping.patience=100", "--set", "schedule=constant"];
    let epochs = |epochs| ["--set", epochs, "--json", "report.json"];
    out(directory, &[&["train", "plants.toml"][..], &common, &epochs("epochs=4")].concat());
    let plain = json(directory, "report.json");
    assert!(plain["validations"].is_null(), "{plain}");
    let steps = plain["samples"].as_u64().unwrap().div_ceil(10);
    let every = ["--set", "validate_every=3", "--log", "log.csv", "--checkpoint", "part.checkpoint"];
    let first =
        run(directory, &[&["train", "plants.toml"][..], &common, &epochs("epochs=2"), &every].concat());
    let said = text(&first.stderr);
    assert!(first.status.success(), "{said}");
    let line = format!("epoch 1/2  batch 3/{steps}  loss ");
    assert!(
        said.lines().any(|said| said.starts_with(&line) && said.contains("  validation loss ")),
        "{said}"
    );
    let resume = ["resume", "part.checkpoint", "--log", "log.csv", "--report", "report.html"];
    out(directory, &[&resume[..], &epochs("epochs=4")].concat());
    let report = json(directory, "report.json");
    // None at the end of an epoch, which has its own, and those before the resume as well.
    let within = (1..steps).filter(|step| step % 3 == 0).count();
    let validations = report["validations"].as_array().unwrap();
    assert_eq!(validations.len(), 4 * within, "{report}");
    assert_eq!(validations[0]["steps"], 3);
    assert_eq!(validations[0]["epochs"].as_f64().unwrap(), 3.0 / steps as f64);
    assert!(validations.iter().all(|one| one["metrics"]["accuracy"].is_number() && one["loss"].is_number()));
    assert_eq!(report["params_sha256"], plain["params_sha256"]);
    let log = fs::read_to_string(directory.join("log.csv")).unwrap();
    assert_eq!(log.lines().count(), 1 + 4 * (within + 1), "{log}");
    // The curve of the page goes through them.
    let drawn = |page: &str| {
        let page = fs::read_to_string(directory.join(page)).unwrap();
        let x = validations[1]["epochs"].to_string();
        page.contains(&x)
    };
    assert!(drawn("report.html"));
    out(directory, &["report", "report.json", "-o", "again.html"]);
    assert!(drawn("again.html"));
    let message = fails(
        directory,
        &["train", "plants.toml", "--set", "validate_every=3", "--set", "data.validation=0"],
    );
    assert!(message.contains("there are no validation data"), "{message}");
}

#[test]
fn a_training_goes_on_with_the_same_bits() {
    let directory = directory(&[("plants.csv", plants(120, 7))]);
    let directory = directory.path();
    out(directory, &["init", "plants.csv"]);
    let common =
        ["--set", "schedule=constant", "--set", "early_stopping.patience=100", "--json", "report.json"];
    let trained = |arguments: &[&str]| {
        out(directory, &[arguments, &common].concat());
        json(directory, "report.json")["params_sha256"].clone()
    };
    let whole =
        trained(&["train", "plants.toml", "--out", "whole.chainrule", "--set", "epochs=6", "--threads", "1"]);
    trained(&["train", "plants.toml", "--set", "epochs=2", "--checkpoint", "part.checkpoint"]);
    fs::copy(directory.join("part.checkpoint"), directory.join("later.checkpoint")).unwrap();
    let resumed = trained(&["resume", "part.checkpoint", "--out", "part.chainrule", "--set", "epochs=6"]);
    assert_eq!(resumed, whole);
    assert_eq!(json(directory, "report.json")["epochs"].as_array().unwrap().len(), 6);
    fs::write(directory.join("plants.csv"), plants(121, 7)).unwrap();
    let message =
        fails(directory, &["resume", "later.checkpoint", "--out", "part.chainrule", "--set", "epochs=9"]);
    assert!(message.contains("the data are not those that later.checkpoint was trained on"), "{message}");
}

#[test]
fn trainings_side_by_side_have_the_bits_that_they_have_alone() {
    let directory = directory(&[("plants.csv", plants(120, 9))]);
    let directory = directory.path();
    out(directory, &["init", "plants.csv"]);
    let short = ["--set", "epochs=4", "--json", "report.json"];
    let alone = |changes: &[&str]| {
        out(
            directory,
            &[&["train", "plants.toml", "--out", "alone.chainrule"], &short[..], changes].concat(),
        );
        json(directory, "report.json")
    };
    let printed = out(directory, &[&["train", "plants.toml", "--seeds", "3"], &short[..]].concat());
    assert!(printed.contains("deviation") && printed.contains("plants.seed-2.chainrule"), "{printed}");
    let report = json(directory, "report.json");
    let second = alone(&["--set", "seed=1"]);
    assert_eq!(report["runs"][1]["params_sha256"], second["params_sha256"]);
    assert_eq!(report["runs"][1]["test"], second["scores"]["test"]);
    let accuracies: Vec<f64> =
        (0..3).filter_map(|run| report["runs"][run]["test"]["metrics"]["accuracy"].as_f64()).collect();
    let mean = accuracies.iter().sum::<f64>() / 3.0;
    assert!((report["figures"]["accuracy"]["mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{report}");

    let tried = [
        "sweep",
        "plants.toml",
        "--try",
        "optimizer.lr=1e-6,0.01",
        "--try",
        "model.layers.0.units=4,8",
        "--out",
        "best.chainrule",
    ];
    let printed = out(directory, &[&tried[..], &short].concat());
    let runs = json(directory, "report.json");
    assert_eq!(runs.as_array().unwrap().len(), 4);
    let losses: Vec<f64> = (0..4).filter_map(|run| runs[run]["validation"]["loss"].as_f64()).collect();
    assert!(losses.is_sorted() && losses.len() == 4, "{losses:?}");
    let changes: Vec<&str> = (0..2).filter_map(|index| runs[0]["changes"][index].as_str()).collect();
    assert_eq!(changes[0], "optimizer.lr=0.01");
    assert!(printed.contains(&format!("--set {} --set {}", changes[0], changes[1])), "{printed}");
    let best = alone(&["--set", changes[0], "--set", changes[1]]);
    assert_eq!(runs[0]["params_sha256"], best["params_sha256"]);
    assert!(out(directory, &["summary", "best.chainrule"]).contains("adam(lr=0.01)"));
    let halving = ["--halving", "2", "--set", "epochs=8", "--json", "report.json", "--out", "best.chainrule"];
    let printed = out(directory, &[&tried[..6], &halving].concat());
    let runs = json(directory, "report.json");
    let run_changes = |run: usize| -> Vec<String> {
        runs[run]["changes"].as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let epochs: Vec<String> = (0..7).map(|run| run_changes(run)[2].clone()).collect();
    let right: Vec<String> = [8, 4, 4, 2, 2, 2, 2].map(|epochs| format!("epochs={epochs}")).to_vec();
    assert_eq!((runs.as_array().unwrap().len(), epochs), (7, right));
    // The best of a round go on.
    let chosen = |run: usize| run_changes(run)[..2].to_vec();
    assert_eq!([chosen(0), chosen(1)], [chosen(1), chosen(3)]);
    assert_eq!(chosen(2), chosen(4));
    let best = run_changes(0);
    let command: Vec<&str> = best.iter().flat_map(|change| ["--set", change]).collect();
    assert!(printed.contains("--set epochs=8"), "{printed}");
    let alone = out(directory, &[&["train", "plants.toml", "--json", "report.json"][..], &command].concat());
    assert_eq!(runs[0]["params_sha256"], json(directory, "report.json")["params_sha256"], "{alone}");
    let message = fails(directory, &["sweep", "plants.toml", "--try", "epochs=2,4", "--halving", "2"]);
    assert!(message.contains("--halving chooses the epochs"), "{message}");
    let range =
        ["sweep", "plants.toml", "--random", "3", "--range", "optimizer.lr=0.001..0.1", "--by", "accuracy"];
    out(directory, &[&range[..], &short].concat());
    assert_eq!(json(directory, "report.json").as_array().unwrap().len(), 3);
    let message =
        fails(directory, &["sweep", "plants.toml", "--set", "data.validation=0", "--try", "epochs=1,2"]);
    assert!(message.contains("has no validation data"), "{message}");
}
