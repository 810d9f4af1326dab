//! Pictures and IDX files.

use std::fs;
use std::path::Path;

use chainrule::data::idx::{self, Idx};
use chainrule::tensor::Seed;
use serde_json::Value;

use crate::{fails, json, out};

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

/// Writes files as those of MNIST: marks of so many classes, on 8 by 8 pixels.
fn write_marks(data: &Path, classes: usize) {
    fs::create_dir(data).unwrap();
    for (part, count, seed) in [("train", 200usize, 1), ("t10k", 50, 2)] {
        let mut rng = Seed(seed).rng();
        let labels: Vec<u8> = (0..count).map(|_| rng.below(classes) as u8).collect();
        let pixel = |label: u8, pixel: usize, noise: usize| {
            if pixel % classes == usize::from(label) { 200 } else { noise as u8 }
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
}

#[test]
fn from_idx_files_to_predictions() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write_marks(&directory.join("marks"), 3);
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

/// Writes files in the form of CIFAR-10, whose ten classes are ten greys.
fn write_cifar(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    let names = (1..=5).map(|number| format!("data_batch_{number}.bin"));
    for (name, seed) in names.chain(["test_batch.bin".to_owned()]).zip(1..) {
        let mut rng = Seed(seed).rng();
        let mut bytes = Vec::new();
        for record in 0..30 {
            let class = record % 10;
            bytes.push(class);
            bytes.extend((0..3072).map(|_| 20 * class + rng.below(20) as u8));
        }
        fs::write(directory.join(name), bytes).unwrap();
    }
}

#[test]
fn from_files_of_cifar_to_predictions() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write_cifar(&directory.join("things"));
    out(directory, &["init", "things"]);
    let configuration = fs::read_to_string(directory.join("things.toml")).unwrap();
    assert!(
        configuration.contains("cifar = \"things\"")
            && configuration.contains("32 by 32 pixels in 10 classes"),
        "{configuration}"
    );
    let dense = "model.layers=[\"max_pool2d(8)\", \"flatten\", \"dense(32)\", \"relu\", \"dense(10)\"]";
    let shorter = ["--set", "epochs=60", "--set", dense, "--set", "optimizer=adam(lr=0.01)"];
    out(directory, &[&["train", "things.toml"][..], &shorter].concat());
    let evaluated: Value =
        serde_json::from_str(&out(directory, &["evaluate", "things.chainrule", "things", "--json"])).unwrap();
    assert_eq!(evaluated["samples"], 30);
    assert!(evaluated["metrics"]["accuracy"].as_f64() > Some(0.6), "{evaluated}");
    let predicted = out(directory, &["predict", "things.chainrule", "things/data_batch_2.bin"]);
    assert_eq!(predicted.lines().count(), 31);
    // The residual network of the book trains on such files too.
    let book = include_str!("../../../../docs/book/src/examples.md");
    let blocks = book.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let resnet = blocks.into_iter().find(|block| block.contains("cifar = ")).unwrap();
    fs::write(directory.join("resnet.toml"), resnet).unwrap();
    let few = ["--set", "data.cifar=things", "--set", "epochs=1", "--set", "schedule=constant"];
    let printed = out(directory, &[&["train", "resnet.toml", "-v"][..], &few].concat());
    // Those of the paper, with projections where a block is narrower.
    assert!(printed.contains("parameters  274042"), "{printed}");
    let message = fails(directory, &["train", "things.toml", "--set", "data.validation=things"]);
    assert!(message.contains("files of CIFAR is a share of the training images"), "{message}");
    out(directory, &["data", "show", "things", "-o", "sheet.png"]);
    assert!(image::open(directory.join("sheet.png")).unwrap().width() > 32);
}

#[test]
fn train_mnist_is_a_configuration_among_others() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write_marks(&directory.join("marks"), 10);
    let options = ["train-mnist", "--data-dir", "marks", "--epochs", "2", "--lr", "0.01", "--metric", "f1"];
    let options =
        [&options[..], &["--hidden", "16,8", "--activation", "leaky_relu:0.2", "--seed", "3"]].concat();
    out(directory, &[&options[..], &["--write-config", "marks.toml"]].concat());
    let written = fs::read_to_string(directory.join("marks.toml")).unwrap();
    assert!(written.contains("epochs = 2\nbatch_size = 32\nseed = 3\n"), "{written}");
    out(directory, &["train", "marks.toml", "--json", "configured.json"]);
    out(directory, &[&options[..], &["--json", "own.json"]].concat());
    let [configured, own] = ["configured.json", "own.json"].map(|file| json(directory, file));
    assert_eq!(configured["params_sha256"], own["params_sha256"]);
    assert!(own["params_sha256"].as_str().is_some_and(|hash| hash.len() == 64), "{own}");
    let message = fails(directory, &[&options[..], &["--write-config", "marks.toml"]].concat());
    assert!(message.contains("marks.toml exists already"), "{message}");
    let message = fails(directory, &["train-mnist", "--dataset", "digits", "--write-config", "a.toml"]);
    assert!(message.contains("the bundled digits have no files"), "{message}");
}
