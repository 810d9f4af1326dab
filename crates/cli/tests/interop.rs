//! `chainrule export` and `chainrule import` as a user runs them.

mod start;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chainrule::interop::{Loading, Names, Rename, StateDict};
use chainrule::prelude::*;
use ndarray::ArrayView2;

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
    if cfg!(not(feature = "keras")) {
        let message = fails(&["export", &path("own.chainrule"), &path("a.weights.h5")]);
        assert!(message.contains("--features keras"), "{message}");
    }
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
    assert!(error.contains("of sgd is not the same in PyTorch"), "{error}");
    let error = refused(&["--optimizer", "sgd(momentum=0.9, rate_in_momentum=true)"]);
    assert!(error.contains("rate_in_momentum=true of sgd"), "{error}");
    // Keras adds epsilon elsewhere.
    let error = fails(&["compare", &path, "--with", "keras", "--optimizer", "adam"]);
    assert!(error.contains("give uncorrected_epsilon=true, as adam.keras has it"), "{error}");
    let error = fails(&["compare", &path, "--with", "jax", "--optimizer", "adam(amsgrad=true)"]);
    assert!(error.contains("amsgrad=true of adam is not the same in JAX"), "{error}");
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

/// The Python that has these packages, if there is one.
fn python_with(packages: &str) -> Option<String> {
    let python = std::env::var("CHAINRULE_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut import = Command::new(&python);
    let imports = import.env("KERAS_BACKEND", "jax").args(["-c", &format!("import {packages}")]).output();
    if imports.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    eprintln!("SKIPPED: {python} has not {packages}; CHAINRULE_PYTHON names another Python");
    None
}

/// A description, the shape of a sample, and further options.
type Compared = (&'static str, &'static [usize], &'static [&'static str]);

/// Trains each here and there, and returns what is printed.
fn compared(library: &str, python: &str, cases: &[Compared]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = within(folder.path(), "own.chainrule");
    let mut printed = Vec::new();
    for (layers, shape, more) in cases {
        let shape = Shape::new(shape).unwrap();
        let description = layers.parse().unwrap();
        Model::<f32>::from_description(shape, &description, 1).unwrap().save(&path).unwrap();
        let compare = ["compare", &path, "--with", library, "--python", python, "--threads", "1"];
        let text = succeeds(&[&compare[..], more].concat());
        assert!(text.contains("loss here") && text.contains("the same within 1e-5"), "{layers}: {text}");
        printed.push(text);
    }
    printed
}

/// Layers that all libraries have.
const OF_ALL: &[Compared] = &[
    (LAYERS, &[2, 2], &["--optimizer", "sgd(lr=0.05, momentum=0.9, nesterov=true)"]),
    ("lstm(4) then dense(3)", &[5, 2], &["--loss", "mean-squared-error", "--optimizer", "sgd(lr=0.05)"]),
    (
        "conv2d(4, 3, padding=same) then batch_norm then relu then max_pool2d(2) then flatten then dense(3)",
        &[1, 6, 6],
        &["--optimizer", "sgd(lr=0.05)"],
    ),
];

#[test]
fn a_training_in_pytorch_is_the_same() {
    let Some(python) = python_with("torch, safetensors, numpy") else { return };
    compared("torch", &python, OF_ALL);
    compared(
        "torch",
        &python,
        &[("rnn(4) then dense(3)", &[5, 2], &["--optimizer", "rmsprop(lr=0.001)", "--steps", "20"])],
    );
    let folder = tempfile::tempdir().unwrap();
    let path = within(folder.path(), "own.chainrule");
    Model::<f32>::from_description([2, 2], &LAYERS.parse().unwrap(), 1).unwrap().save(&path).unwrap();
    // A tolerance that no training in single precision keeps is not kept.
    let strict = ["compare", &path, "--with", "torch", "--python", &python, "--tolerance", "0"];
    assert!(String::from_utf8(program(&strict).stdout).unwrap().contains("NOT the same within"));
    let random = "dense(5) then dropout(0.5) then dense(3)";
    Model::<f32>::from_description([4], &random.parse().unwrap(), 1).unwrap().save(&path).unwrap();
    let error = fails(&["compare", &path, "--with", "torch", "--python", &python]);
    assert!(error.contains("random in training, such as dropout"), "{error}");
}

#[test]
fn parameters_without_a_gradient_are_named() {
    let Some(python) = python_with("torch, safetensors, numpy") else { return };
    // The mean that a batch normalisation subtracts contains the bias before it, and a softmax over keys what all of them have.
    let cases: [Compared; 2] = [
        (
            "conv2d(4, 3) then batch_norm then relu then flatten then dense(3)",
            &[1, 6, 6],
            &["--optimizer", "adam(lr=0.001)"],
        ),
        (
            "transformer_encoder(2, 8, dropout=0.0) then one_step then dense(3)",
            &[5, 4],
            &["--optimizer", "adam(lr=0.001)"],
        ),
    ];
    let printed = compared("torch", &python, &cases);
    let line = |text: &str, start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(line(&printed[0], "but for").contains(" 0.bias by at most"), "{}", printed[0]);
    assert!(line(&printed[0], "and ").contains(" 1.running_mean by at most"), "{}", printed[0]);
    // The keys' half of a bias that queries and values have no part in.
    assert!(line(&printed[1], "but for").contains("key_value_bias (4 of 8 values)"), "{}", printed[1]);
    // What has a gradient is not excused: a bias in front of no normalisation.
    let plain = compared(
        "torch",
        &python,
        &[("dense(4) then relu then dense(3)", &[4], &["--optimizer", "adam(lr=0.001)"])],
    );
    assert!(!plain[0].contains("but for"), "{}", plain[0]);
}

#[test]
fn a_training_in_jax_is_the_same() {
    let Some(python) = python_with("jax, optax, numpy") else { return };
    compared("jax", &python, OF_ALL);
    compared(
        "jax",
        &python,
        &[
            (
                "reshape([1, 8, 8]) then patches(4) then time_distributed(dense(6)) then class_token then learned_positions \
                 then transformer_encoder(2, 8, dropout=0.0) then one_step(first) then dense(3)",
                &[8, 8],
                &["--optimizer", "rmsprop(lr=0.0001, eps=0.001, momentum=0.5)", "--steps", "20"],
            ),
            (
                "embedding(7, 4) then gru(3) then dense(3)",
                &[5],
                &["--optimizer", "adam(lr=0.001)", "--steps", "20"],
            ),
        ],
    );
    let refused = compare_fails("jax", &python, "dense(4) then sparsemax then dense(3)", &[4]);
    assert!(refused.contains("with JAX: layer 1, sparsemax: it has not been written in JAX"), "{refused}");
}

#[test]
fn a_training_in_keras_is_the_same() {
    let Some(python) = python_with("keras, jax, numpy") else { return };
    compared("keras", &python, OF_ALL);
    compared(
        "keras",
        &python,
        &[
            (
                "embedding(7, 4) then bidirectional(gru(3, sequences=true)) then multi_head_attention(2) then layer_norm \
                 then flatten then dense(3)",
                &[5],
                &["--optimizer", "adam.keras(lr=0.0001, eps=0.001)", "--steps", "20"],
            ),
            (
                LAYERS,
                &[2, 2],
                &["--optimizer", "rmsprop.keras(momentum=0.5, centered=true)", "--steps", "20"],
            ),
        ],
    );
    let refused = compare_fails("keras", &python, "dense(4) then sparsemax then dense(3)", &[4]);
    assert!(refused.contains("with Keras: layer 1, sparsemax: Keras has no layer"), "{refused}");
}

/// What is said of a model that cannot be compared.
fn compare_fails(library: &str, python: &str, layers: &str, shape: &[usize]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = within(folder.path(), "own.chainrule");
    let shape = Shape::new(shape).unwrap();
    Model::<f32>::from_description(shape, &layers.parse().unwrap(), 1).unwrap().save(&path).unwrap();
    fails(&["compare", &path, "--with", library, "--python", python])
}

/// A block of torchvision's ResNet, with what it does to its input before that is added.
fn basic_block(planes: usize, stride: usize) -> String {
    let (downsample, shortcut) = match stride {
        1 => (String::new(), "input"),
        _ => {
            let layers =
                format!("sequential([conv2d({planes}, 1, stride={stride}, bias=false), batch_norm])");
            (format!("layer(downsample, {layers}, input), "), "downsample")
        }
    };
    format!(
        "graph(nodes=[layer(conv1, conv2d({planes}, 3, stride={stride}, padding=1, bias=false), input), layer(bn1, batch_norm, conv1), \
         layer(relu1, relu, bn1), layer(conv2, conv2d({planes}, 3, padding=1, bias=false), relu1), layer(bn2, batch_norm, conv2), \
         {downsample}merge(sum, add, [bn2, {shortcut}]), layer(relu2, relu, sum)], outputs=[relu2])"
    )
}

/// Networks whose nodes have the names of torchvision's modules.
fn of_torchvision() -> [(&'static str, Shape, String); 2] {
    let nodes = |nodes: &[(&str, &str)]| {
        let mut from = "input";
        let mut texts = Vec::new();
        for (name, layer) in nodes {
            texts.push(format!("layer({name}, {layer}, {from})"));
            from = name;
        }
        format!("graph(nodes=[{}], outputs=[{from}])", texts.join(", "))
    };
    let stage =
        |planes, stride| format!("sequential([{}, {}])", basic_block(planes, stride), basic_block(planes, 1));
    let lenet = [
        ("conv1", "conv2d(6, 5)"),
        ("relu1", "relu"),
        ("pool1", "max_pool2d(2)"),
        ("conv2", "conv2d(16, 5)"),
        ("relu2", "relu"),
        ("pool2", "max_pool2d(2)"),
        ("flatten", "flatten"),
        ("fc1", "dense(120)"),
        ("relu3", "relu"),
        ("fc2", "dense(84)"),
        ("relu4", "relu"),
        ("fc3", "dense(10)"),
    ];
    let (layer1, layer2) = (stage(8, 1), stage(16, 2));
    let resnet = [
        ("conv1", "conv2d(8, 7, stride=2, padding=3, bias=false)"),
        ("bn1", "batch_norm"),
        ("relu", "relu"),
        ("maxpool", "max_pool2d(3, stride=2, padding=1)"),
        ("layer1", &layer1),
        ("layer2", &layer2),
        ("avgpool", "global_avg_pool"),
        ("fc", "dense(10)"),
    ];
    [("lenet", [1, 28, 28].into(), nodes(&lenet)), ("resnet", [3, 32, 32].into(), nodes(&resnet))]
}

#[test]
fn networks_of_torchvision_come_in_are_trained_and_go_back() {
    let Some(python) = python_with("torch, safetensors, numpy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torchvision.py");
    let run = |work: &str| {
        let output = Command::new(&python).arg(&script).arg(work).arg(folder.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let numbers = |name: &str| -> Vec<f32> {
        let bytes = fs::read(folder.path().join(name)).unwrap();
        bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    };
    let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    run("write");
    for (name, input, layers) in of_torchvision() {
        let dict = StateDict::read_pytorch(folder.path().join(format!("{name}.pt"))).unwrap();
        let mut model = Model::<f32>::from_description(input, &layers.parse().unwrap(), 9).unwrap();
        // A model is a sequence, here of one graph.
        let loading = Loading::new(Names::PyTorch).rename(Rename::new("*", "0.*").unwrap());
        loading.load(&dict, &mut model).unwrap_or_else(|error| panic!("{name}: {error}"));
        let x = numbers(&format!("{name}.x"));
        let rows = x.len() / input.size();
        let x = ArrayView2::from_shape((rows, input.size()), &x).unwrap();
        let found = model.predict(x).unwrap().into_raw_vec_and_offset().0;
        let difference = largest(&found, &numbers(&format!("{name}.y")));
        assert!(difference < 1e-5, "{name}: {difference}");
        // Trained on.
        let classes: Vec<u8> = (0..rows).map(|row| (row % 10) as u8).collect();
        let before = model.parameters().to_vec();
        let data = Rows::new(x.to_owned(), classes).unwrap().with_shape(input).unwrap();
        let mut trainer = Trainer::new(model, CrossEntropy, sgd(0.05)).batch_size(16);
        trainer.fit(&data, 2).unwrap();
        let model = trainer.into_model();
        assert!(largest(&before, model.parameters()) > 1e-3, "{name}");
        let dict = StateDict::of(&model, Names::PyTorch).within("0");
        dict.write_safetensors(folder.path().join(format!("{name}.safetensors"))).unwrap();
        let trained = model.predict(x).unwrap();
        assert!(largest(trained.as_slice().unwrap(), &found) > 1e-3, "{name}: the training changed nothing");
        let bytes: Vec<u8> = trained.iter().flat_map(|value| value.to_le_bytes()).collect();
        fs::write(folder.path().join(format!("{name}.trained")), bytes).unwrap();
    }
    let printed = run("check");
    assert_eq!(printed.lines().count(), 2);
    for line in printed.lines() {
        let (name, difference) = line.split_once(' ').unwrap();
        assert!(difference.parse::<f32>().unwrap() < 1e-5, "{name}: {difference}");
    }
}
