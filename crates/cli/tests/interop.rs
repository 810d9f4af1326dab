//! `chainrule export` and `chainrule import` as a user runs them.

mod start;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chainrule::interop::{Names, StateDict};
use chainrule::train::Model;

use start::chainrule;

const LAYERS: &str = "flatten then dense(5) then relu then dense(3)";

fn program(arguments: &[&str]) -> Output {
    chainrule().args(arguments).output().unwrap()
}

fn succeeds(arguments: &[&str]) -> String {
    let output = program(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(arguments: &[&str]) -> String {
    let output = program(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// The name of a file in a folder.
fn within(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[test]
fn models_go_out_and_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| within(folder.path(), name);
    let model = Model::<f32>::from_description([2, 2], &LAYERS.parse().unwrap(), 1).unwrap();
    model.save(path("own.chainrule")).unwrap();
    for file in ["weights.safetensors", "weights.npz", "graph.onnx"] {
        let printed = succeeds(&["export", &path("own.chainrule"), &path(file)]);
        assert!(printed.starts_with("written to"), "{printed}");
        if cfg!(unix) {
            // Where the file is standard output, nothing else is printed there.
            let format = file.rsplit('.').next().unwrap();
            let piped = program(&["export", &path("own.chainrule"), "/dev/stdout", "--format", format]);
            assert_eq!(piped.stdout, fs::read(path(file)).unwrap(), "{file}");
        }
        let layers: &[&str] =
            if file.ends_with("onnx") { &[] } else { &["--layers", LAYERS, "--input", "2,2"] };
        let again = path("again.chainrule");
        let printed = succeeds(&[&["import", &path(file), &again], layers].concat());
        assert!(printed.contains("43 parameters"), "{printed}");
        let again = Model::<f32>::load(&again).unwrap();
        assert_eq!(again.parameters_sha256(), model.parameters_sha256(), "{file}");
    }
    let dict = StateDict::read_npz(path("weights.npz")).unwrap();
    assert_eq!(dict, StateDict::of(&model, Names::PyTorch));
    succeeds(&[
        "export",
        &path("own.chainrule"),
        &path("half.safetensors"),
        "--dtype",
        "f16",
        "--names",
        "chainrule",
    ]);
    let half = StateDict::read_safetensors(path("half.safetensors")).unwrap();
    assert_eq!(half.get("1.weight").unwrap().shape(), [4, 5]);
}

#[test]
fn names_are_changed_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| within(folder.path(), name);
    let model = Model::<f32>::from_description([2, 2], &LAYERS.parse().unwrap(), 1).unwrap();
    let renamed: StateDict = StateDict::of(&model, Names::PyTorch)
        .iter()
        .map(|(name, tensor)| {
            (format!("net.{}", name.replace("1.", "first.").replace("3.", "head.")), tensor.clone())
        })
        .collect();
    renamed.write_safetensors(path("renamed.safetensors")).unwrap();
    let import = |more: &[&str]| {
        let file = path("renamed.safetensors");
        let own = path("own.chainrule");
        let given = [&["import", &file, &own, "--layers", LAYERS, "--input", "2,2"], more].concat();
        program(&given.iter().map(|argument| &**argument).collect::<Vec<_>>())
    };
    let message = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let output = import(&[]);
    assert!(message(&output).contains("missing: 1.weight, 1.bias, 3.weight, 3.bias"), "{}", message(&output));
    let output = import(&["--within", "net", "--rename", "first.*=1.*", "--rename", "head.*=3.*"]);
    assert!(output.status.success(), "{}", message(&output));
    assert_eq!(Model::<f32>::load(path("own.chainrule")).unwrap().parameters(), model.parameters());
    let output = import(&["--within", "net", "--rename", "first.*=1.*", "--lenient"]);
    assert!(
        output.status.success() && message(&output).contains("not in the file: 3.weight, 3.bias"),
        "{}",
        message(&output)
    );
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| within(folder.path(), name);
    Model::<f32>::from_description([4], &"dense(2)".parse().unwrap(), 1)
        .unwrap()
        .save(path("own.chainrule"))
        .unwrap();
    for (file, more, part) in [
        ("a.pt", &[][..], "pickles"),
        ("a.txt", &[], "--format"),
        ("a.onnx", &["--dtype", "f16"], "single precision"),
        ("a.npz", &["--softmax", "true"], "leave out --softmax"),
    ] {
        let message = fails(&[&["export", &path("own.chainrule"), &path(file)], more].concat());
        assert!(message.contains(part), "{message}");
    }
    let message = fails(&["import", &path("nothing.npz"), &path("b.chainrule")]);
    assert!(message.contains("--layers"), "{message}");
}

#[test]
fn a_training_is_compared_with_what_both_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = within(folder.path(), "own.chainrule");
    let save = |layers: &str| {
        Model::<f32>::from_description([2, 2], &layers.parse().unwrap(), 1).unwrap().save(&path).unwrap();
    };
    save(LAYERS);
    let refused = |more: &[&str]| fails(&[&["compare", &path, "--with", "torch"], more].concat());
    let error = refused(&["--optimizer", "muon"]);
    assert!(error.contains("muon cannot be compared") && error.contains("choose sgd, adam"), "{error}");
    let error = refused(&["--optimizer", "adamw"]);
    assert!(error.contains("give weight_decay=0"), "{error}");
    let error = refused(&["--optimizer", "sgd(lr=cosine)"]);
    assert!(error.contains("of sgd is not the same in other libraries"), "{error}");
    let error = refused(&["--optimizer", "sgd(momentum=0.9, rate_in_momentum=true)"]);
    assert!(error.contains("rate_in_momentum=true of sgd"), "{error}");
    let error = refused(&["--python", "no-such-python"]);
    assert!(error.contains("no-such-python cannot be started") && error.contains("--python"), "{error}");
    assert!(fails(&["compare", &path, "--with", "theano"]).contains("torch"));
    if cfg!(unix) {
        // A program that is no Python.
        assert!(refused(&["--python", "false"]).contains("false cannot import torch"), "{error}");
    }
    let double = Model::<f64>::from_description([2, 2], &LAYERS.parse().unwrap(), 1).unwrap();
    double.save(&path).unwrap();
    assert!(refused(&[]).contains("the model is in double precision"));
}

#[test]
fn a_training_in_pytorch_is_the_same() {
    let python = std::env::var("CHAINRULE_PYTHON").unwrap_or_else(|_| "python3".into());
    let imports = Command::new(&python).args(["-c", "import torch, safetensors, numpy"]).output();
    if !imports.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "SKIPPED: {python} has no torch, safetensors and numpy; CHAINRULE_PYTHON names another Python"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = within(folder.path(), "own.chainrule");
    for (layers, shape, more) in [
        (
            LAYERS,
            &[2, 2][..],
            &["--loss", "cross-entropy", "--optimizer", "sgd(lr=0.05, momentum=0.9, nesterov=true)"],
        ),
        (
            "lstm(4) then dense(3)",
            &[5, 2],
            &["--loss", "mean-squared-error", "--optimizer", "rmsprop(lr=0.001)"],
        ),
        (
            "conv2d(4, 3, padding=same) then batch_norm then relu then max_pool2d(2) then flatten then dense(3)",
            &[1, 6, 6],
            &["--loss", "cross-entropy", "--optimizer", "sgd(lr=0.05)"],
        ),
    ] {
        let shape = chainrule::tensor::Shape::new(shape).unwrap();
        Model::<f32>::from_description(shape, &layers.parse().unwrap(), 1).unwrap().save(&path).unwrap();
        let compare = ["compare", &path, "--with", "torch", "--python", &python, "--threads", "1"];
        let printed = succeeds(&[&compare[..], more].concat());
        assert!(printed.contains("loss here") && printed.contains("the same within 1e-5"), "{printed}");
    }
    // A tolerance that no training in single precision keeps is not kept.
    let strict = ["compare", &path, "--with", "torch", "--python", &python, "--tolerance", "0"];
    assert!(String::from_utf8(program(&strict).stdout).unwrap().contains("NOT the same within"));
    let random = "dense(5) then dropout(0.5) then dense(3)";
    Model::<f32>::from_description([4], &random.parse().unwrap(), 1).unwrap().save(&path).unwrap();
    let error = fails(&["compare", &path, "--with", "torch", "--python", &python]);
    assert!(error.contains("random in training, such as dropout"), "{error}");
}
