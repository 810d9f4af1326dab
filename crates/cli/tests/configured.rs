//! From a person's files to predictions, by the commands as a user types them.

mod start;

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ExitStatus, Output, Stdio};
use std::time::Duration;

use chainrule::data::idx::{self, Idx};
use chainrule::tensor::Seed;
use serde_json::Value;
use tempfile::TempDir;

use start::chainrule;

fn run(directory: &Path, arguments: &[&str]) -> Output {
    let mut command = chainrule();
    command.current_dir(directory).env_remove("CHAINRULE_DATA").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command prints that has to succeed.
fn out(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// What a command says that has to fail.
fn fails(directory: &Path, arguments: &[&str]) -> String {
    let output = run(directory, arguments);
    assert_eq!(
        output.status.code(),
        Some(1),
        "{arguments:?}: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
    text(&output.stderr)
}

/// Whether a training with this test says that its samples were trained on.
fn warns_of_seen(directory: &Path, test: &str) -> bool {
    let setting = format!("data.{test}");
    let arguments =
        ["train", "plants.toml", "--set", "epochs=1", "--out", "seen.chainrule", "--set", &setting];
    let output = run(directory, &arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stderr).contains("training samples contain the")
}

fn json(directory: &Path, file: &str) -> Value {
    serde_json::from_slice(&fs::read(directory.join(file)).unwrap()).unwrap()
}

/// Plants of three species that their leaf and their soil tell apart, some without a leaf.
fn plants(rows: usize, seed: u64) -> String {
    let mut rng = Seed(seed).rng();
    let mut text = String::from("id,leaf,soil,species\n");
    for row in 0..rows {
        let species = rng.below(3);
        let leaf = [2.0, 5.0, 5.0][species] + 0.4 * rng.normal();
        let leaf = if row % 25 == 7 { String::new() } else { format!("{leaf:.2}") };
        let soil = ["clay", "clay", "sand"][species];
        writeln!(text, "p{row:03},{leaf},{soil},{}", ["elm", "oak", "\"ash, white\""][species]).unwrap();
    }
    text
}

/// Trains so long with `--watch`, and asks for the page again and again; `each` is given those of the training. Also the last page, and the
/// status.
fn watched(directory: &Path, time: &str, mut each: impl FnMut(String, &Child)) -> (String, ExitStatus) {
    out(directory, &["init", "plants.csv"]);
    let mut command = chainrule();
    // It would stop early, before a page of it was seen.
    let patient = "early_stopping.patience=1000000";
    command.current_dir(directory);
    command.args(["train", "plants.toml", "--watch", "--for", time, "--set", patient]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = said.find_map(|line| Some(line.strip_prefix("watch it at http://")?.to_owned())).unwrap();
    // A pipe that is full would keep it from going on.
    let rest = std::thread::spawn(move || said.for_each(drop));
    let (host, path) = address.split_once('/').unwrap();
    assert!(host.starts_with("127.0.0.1:") && path.len() == 33, "{address}");
    let get = || {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
        let mut page = String::new();
        stream.read_to_string(&mut page).unwrap();
        page
    };
    let last = loop {
        let page = get();
        if !page.contains(" data-version=") {
            break page;
        }
        each(page, &child);
        std::thread::sleep(Duration::from_millis(200));
    };
    rest.join().unwrap();
    (last, child.wait().unwrap())
}

/// `--watch` says where the page is, which changes while the model trains and is the report in the end.
#[test]
fn a_training_is_watched() {
    let directory = directory(&[("plants.csv", plants(400, 5))]);
    let mut live = Vec::new();
    let (last, status) = watched(directory.path(), "3s", |page, _| live.push(page));
    assert!(status.success());
    let tags: HashSet<&str> =
        live.iter().filter_map(|page| page.lines().find(|line| line.starts_with("ETag"))).collect();
    assert!(tags.len() > 2, "{tags:?}");
    let training = live.iter().find(|page| page.contains("training loss"));
    assert!(training.is_some_and(|page| page.contains("A model of species")), "{live:?}");
    assert!(last.contains("<h2>Confusion") && last.contains("default-src 'none'"));
}

/// The last page of a training that is interrupted says that it was, and how to go on.
#[cfg(unix)]
#[test]
fn who_watches_sees_why_a_training_ended() {
    let directory = directory(&[("plants.csv", plants(400, 5))]);
    let mut is_asked = false;
    let (last, status) = watched(directory.path(), "60s", |page, child| {
        assert!(!page.contains("it is being tested"), "{page}");
        if page.contains("training loss") && !is_asked {
            let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(kill.unwrap().success());
            is_asked = true;
        }
    });
    assert_eq!(status.code(), Some(130));
    let warnings = &last[last.find("id=\"warnings\"").unwrap()..];
    let warnings = &warnings[..warnings.find("</aside>").unwrap()];
    assert!(warnings.contains("Ctrl-C in epoch") && warnings.contains("chainrule resume"), "{warnings}");
    assert!(last.contains("training loss") && !last.contains("it is being tested"), "{last}");
}

fn flats(rows: usize, seed: u64) -> String {
    let mut rng = Seed(seed).rng();
    let mut text = String::from("area;town;balcony;rent\n");
    for _ in 0..rows {
        let (area, town, balcony) = (rng.between(20.0, 120.0), rng.below(2), rng.below(2));
        let rent = 12.0 * area * [1.0, 1.5][town] + 150.0 * balcony as f64 + 20.0 * rng.normal();
        let area = format!("{area:.1}").replace('.', ",");
        writeln!(text, "{area};{};{};{rent:.0}", ["Ulm", "Munich"][town], ["no", "yes"][balcony]).unwrap();
    }
    text
}

fn directory(files: &[(&str, String)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
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
    assert!(message.contains("so the model has 1 outputs, which do not fit 2 targets"), "{message}");
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

fn draw(directory: &Path, count: usize) {
    let mut rng = Seed(6).rng();
    for class in ["disc", "square"] {
        fs::create_dir_all(directory.join(class)).unwrap();
        for number in 0..count {
            let [x, y] = [0; 2].map(|_| rng.between(6.0, 10.0));
            let picture = image::GrayImage::from_fn(16, 16, |column, row| {
                let (dx, dy) = ((f64::from(column) - x).abs(), (f64::from(row) - y).abs());
                let inside = if class == "disc" { dx.hypot(dy) < 5.0 } else { dx.max(dy) < 4.4 };
                image::Luma([if inside { 230 } else { 20 }])
            });
            picture.save(directory.join(class).join(format!("{number:02}.png"))).unwrap();
        }
    }
}

#[test]
fn from_pictures_to_predictions() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    draw(&directory.join("shapes"), 60);
    out(directory, &["init", "shapes"]);
    let configuration = fs::read_to_string(directory.join("shapes.toml")).unwrap();
    assert!(
        configuration.contains("size = [16, 16]") && configuration.contains("colour = \"grey\""),
        "{configuration}"
    );
    let small =
        ["--set", "epochs=12", "--set", "model.layers.0.channels=8", "--set", "model.layers.3.channels=8"];
    let files = ["train", "shapes.toml", "--json", "report.json", "--report", "report.html"];
    let augment = ["--set", "augment=[\"horizontal_flip\", \"brightness(0.1)\"]"];
    out(directory, &[&files[..], &small, &augment].concat());
    let report = json(directory, "report.json");
    let page = fs::read_to_string(directory.join("report.html")).unwrap();
    for part in ["curves", "confusion", "scores", "norms", "layers", "settings"] {
        assert!(page.contains(&format!("<section id=\"{part}\">")), "{part}");
    }
    assert!(
        page.contains("size of the gradients") && page.contains("horizontal_flip"),
        "it shows its settings"
    );
    assert!(report["scores"]["training"]["metrics"]["accuracy"].as_f64() > Some(0.8), "{report}");
    let predicted = out(directory, &["predict", "shapes.chainrule", "shapes/disc"]);
    assert_eq!(predicted.lines().count(), 61);
    assert!(
        predicted.starts_with("file,class,probability of disc,probability of square\nshapes/disc/00.png,"),
        "{predicted}"
    );
    let one = out(directory, &["predict", "shapes.chainrule", "shapes/square/05.png", "--format", "json"]);
    let one: Value = serde_json::from_str(&one).unwrap();
    assert_eq!((one.as_array().unwrap().len(), &one[0]["file"]), (1, &"shapes/square/05.png".into()));
    let evaluated = out(directory, &["evaluate", "shapes.chainrule", "shapes"]);
    assert!(evaluated.contains("120") && evaluated.contains("rows are the true classes"), "{evaluated}");
    fs::rename(directory.join("shapes/disc"), directory.join("shapes/ring")).unwrap();
    let message = fails(directory, &["evaluate", "shapes.chainrule", "shapes"]);
    assert!(message.contains("no class of this name, only disc, square"), "{message}");
}

#[test]
fn from_idx_files_to_predictions() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let data = directory.join("marks");
    fs::create_dir(&data).unwrap();
    for (part, count, seed) in [("train", 200usize, 1), ("t10k", 50, 2)] {
        let mut rng = Seed(seed).rng();
        let labels: Vec<u8> = (0..count).map(|_| rng.below(3) as u8).collect();
        let pixel = |label: u8, pixel: usize, noise: usize| {
            if pixel % 3 == usize::from(label) { 200 } else { noise as u8 }
        };
        let values = labels
            .iter()
            .flat_map(|&label| (0..64).map(move |index| (label, index)))
            .map(|(label, index)| pixel(label, index, rng.below(60)))
            .collect();
        let images = Idx { axes: vec![count, 8, 8], values };
        idx::write(&data.join(format!("{part}-images-idx3-ubyte")), &images).unwrap();
        let labels = Idx { axes: vec![count], values: labels };
        idx::write(&data.join(format!("{part}-labels-idx1-ubyte")), &labels).unwrap();
    }
    out(directory, &["init", "marks"]);
    let dense = "model.layers=[\"flatten\", \"dense(16)\", \"relu\", \"dense(3)\"]";
    out(directory, &["train", "marks.toml", "--set", "epochs=20", "--set", dense]);
    let evaluated: Value =
        serde_json::from_str(&out(directory, &["evaluate", "marks.chainrule", "marks", "--json"])).unwrap();
    assert_eq!(evaluated["samples"], 50);
    assert!(evaluated["metrics"]["accuracy"].as_f64() > Some(0.9), "{evaluated}");
    let predicted = out(directory, &["predict", "marks.chainrule", "marks/t10k-images-idx3-ubyte"]);
    assert_eq!(predicted.lines().count(), 51);
    assert!(predicted.starts_with("row,class,probability of 0,"), "{predicted}");
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
