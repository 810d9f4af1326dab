//! What commands say of mistakes, and what shells complete.

use std::fs;

use crate::{directory, fails, out, plants};

#[test]
fn mistakes_say_where_and_what_is_near() {
    let directory = directory(&[("plants.csv", plants(60, 8))]);
    let directory = directory.path();
    out(directory, &["init", "plants.csv"]);
    let good = fs::read_to_string(directory.join("plants.toml")).unwrap();
    let line_of = |part: &str| 1 + good.lines().position(|line| line.contains(part)).unwrap();
    for (from, to, expected) in [
        (
            "cross_entropy",
            "cross_entrpy",
            "there is no loss named `cross_entrpy`; the nearest name is `cross_entropy`",
        ),
        ("\"dense(3)\"", "\"dense(0)\"", "dense.units is 0"),
        ("\"relu\"", "\"rleu\"", "there is no layer named `rleu`; the nearest name is `relu`"),
        ("adam(lr=0.003)", "adam(rate=0.003)", "adam has no setting named `rate`"),
        ("batch_size", "batchsize", "there is no `batchsize`; the nearest is `batch_size`"),
        ("\"species\"", "\"specis\"", "has no column \"specis\"; the nearest is \"species\""),
        ("validation = 0.2", "validation = 1.2", "`data.validation` is 1.2, but must be a share"),
        ("\"stratified\"", "\"stratifyed\"", "the nearest is stratified"),
        ("patience = ", "patience = -", "`early_stopping.patience` is -"),
        ("epochs = ", "epochs = = ", "plants.toml, line "),
        ("\"dense(3)\"", "\"dense(2)\"", "has 2 outputs, which do not fit 3 classes"),
        ("one_hot", "one_hut", "there is no transform named `one_hut`; the nearest name is `one_hot`"),
    ] {
        assert!(good.contains(from), "{from} in\n{good}");
        fs::write(directory.join("plants.toml"), good.replacen(from, to, 1)).unwrap();
        let message = fails(directory, &["train", "plants.toml"]);
        let place = format!("plants.toml, line {}, column ", line_of(from));
        assert!(message.contains(expected) && message.contains(&place), "{to}: {message}");
    }
    fs::write(directory.join("plants.toml"), &good).unwrap();
    for (change, expected) in [
        ("optimizer.rate=3", "`optimizer`, adam(lr=0.003), has no setting `rate`; it has lr, "),
        ("optimizer.lr=-3", "adam.lr.cosine.rate is -3"),
        ("model.layers.9.units=3", "`model.layers` is a list of 5: its items are 0 to 4"),
        ("epochs", "it has no `=`, as in optimizer.lr=0.01"),
        ("epoch=3", "there is no `epoch`; the nearest is `epochs`"),
        ("epochs.x=3", "which has no keys"),
    ] {
        let message = fails(directory, &["train", "plants.toml", "--set", change]);
        assert!(
            message.contains(expected) && message.contains(&format!("{change:?}")),
            "{change}: {message}"
        );
    }
    let message = fails(directory, &["init", "plants.csv"]);
    assert!(message.contains("plants.toml exists already"), "{message}");
    let message = fails(directory, &["predict", "plants.csv", "plants.csv"]);
    assert!(message.contains("is not a chainrule model"), "{message}");
    let message = fails(directory, &["train", "plants.csv"]);
    assert!(
        message.contains("plants.csv, line 1") && message.contains("`chainrule init plants.csv`"),
        "{message}"
    );
    let message = fails(directory, &["train", "."]);
    assert!(message.contains("is a directory, not a configuration: `chainrule init .`"), "{message}");
    let message = fails(directory, &["data", "info", "."]);
    assert!(message.contains("is a directory, not a table"), "{message}");
    // What is read stays.
    let table = fs::read_to_string(directory.join("plants.csv")).unwrap();
    let commands: [&[&str]; 7] = [
        &["init", "plants.csv", "--out", "plants.csv", "--force"],
        &["train", "plants.toml", "--log", "plants.csv"],
        &["train", "plants.toml", "--json", "./plants.csv"],
        &["train", "plants.toml", "--out", "plants.toml"],
        &["train", "plants.toml", "--seeds", "2", "--json", "plants.csv"],
        &["sweep", "plants.toml", "--try", "epochs=1,2", "--json", "plants.csv"],
        &["predict", "plants.toml", "plants.csv", "--out", "plants.csv"],
    ];
    for command in commands {
        let message = fails(directory, command);
        assert!(message.contains(", which is read: choose another file"), "{command:?}: {message}");
    }
    assert_eq!(fs::read_to_string(directory.join("plants.csv")).unwrap(), table);
    assert_eq!(fs::read_to_string(directory.join("plants.toml")).unwrap(), good);
    let message = fails(directory, &["train", "nowhere.toml"]);
    assert!(message.contains("cannot read nowhere.toml"), "{message}");
}

#[test]
fn completions_know_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "fish", "zsh"] {
        let script = out(directory.path(), &["completions", shell]);
        assert!(script.contains("train-mnist") && script.contains("predict"), "{shell}");
    }
}
