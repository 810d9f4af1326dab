//! Every layer as an ONNX graph, checked by `onnx` and run by ONNX Runtime, both from PyPI, by the script `onnx_runtime.py`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use chainrule_core::{Described, Forward, Layer, Mode, Params};
use chainrule_data::Rows;
use chainrule_interop::{OnnxError, OnnxExport, OnnxModel, onnx_forms};
use chainrule_layer_cases::{Case, every_layer};
use chainrule_losses::CrossEntropy;
use chainrule_optim::adam;
use chainrule_tensor::Seed;
use chainrule_train::{Model, Trainer};
use ndarray::Array2;

use crate::planned;

/// The difference that is allowed, relative to the value or to 1.
const TOLERANCE: f64 = 1e-5;

const ROWS: usize = 3;

/// What ONNX cannot express: the cases, and why.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &[
            "rnn masked",
            "lstm masked",
            "lstm masked sequences",
            "lstm masked backwards",
            "gru masked",
            "gru masked sequences",
            "bidirectional masked",
            "bidirectional masked sequences",
            "masked stack",
            "masking rnn",
        ],
        "cannot leave out steps",
    ),
    (&["lambda"], "code of a program"),
    (&["conv lstm", "conv lstm sequences", "conv lstm dropout"], "not a layer of chainrule"),
    (&["bidirectional conv lstm"], "no operator for conv_lstm"),
];

/// A graph and what it shall compute.
struct Exported {
    name: String,
    bytes: Vec<u8>,
    x: Array2<f32>,
    y: Array2<f32>,
    input: Vec<usize>,
}

fn exported(case: &Case<f32>, name: String, first: bool) -> Result<Exported, OnnxError> {
    let (plan, mut parameters) = planned(case);
    if first {
        plan.init(Seed(3), &mut parameters);
    }
    let description = case.layers.describe();
    let bytes = OnnxExport::new().parameters_to_bytes((&description, &plan), &case.input, &parameters)?;
    let x = case.samples(ROWS, Seed(4));
    let (output, mut cache) = case.layers.plan(case.input, &mut chainrule_core::Plan::new()).unwrap();
    let mut y = Array2::zeros((ROWS, output.size()));
    let params = Params::new(&parameters);
    case.layers.forward(Forward {
        params,
        x: x.view(),
        y: y.view_mut(),
        cache: &mut cache,
        mode: Mode::Eval,
    });
    Ok(Exported { name, bytes, x, y, input: case.input.to_vec() })
}

/// The cases that can be expressed; the others have to be refused for the reason that the list has.
fn all() -> Vec<Exported> {
    let mut all = Vec::new();
    for case in every_layer::<f32>() {
        let reason = REFUSED.iter().find(|(names, _)| names.contains(&case.name)).map(|(_, reason)| reason);
        match (exported(&case, case.name.to_owned(), false), reason) {
            (Ok(exported), None) => all.push(exported),
            (Err(error), Some(reason)) => {
                assert!(error.to_string().contains(reason), "{}: {error}", case.name)
            }
            (Ok(_), Some(_)) => panic!("{} can be written: remove it from the list", case.name),
            (Err(error), None) => panic!("{}: {error}", case.name),
        }
        // The power iteration begins otherwise where there was no training.
        if case.name.contains("spectral") {
            all.push(exported(&case, format!("{} first", case.name), true).unwrap());
        }
    }
    all
}

/// Python with the packages, if there is one: `CHAINRULE_PYTHON`, or `python3`.
fn python() -> Option<Command> {
    let program = std::env::var("CHAINRULE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = Command::new(&program).args(["-c", "import numpy, onnx, onnxruntime"]).output();
    packages.ok()?.status.success().then(|| Command::new(program))
}

#[test]
fn onnx_runtime_computes_the_same() {
    let all = all();
    let Some(mut python) = python() else {
        eprintln!(
            "SKIPPED: Python has no packages onnx and onnxruntime: `pip install onnx==1.23.2 onnxruntime==1.32.0`, and set \
             CHAINRULE_PYTHON to that Python"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut list = String::new();
    for (index, Exported { bytes, x, y, input, .. }) in all.iter().enumerate() {
        let raw =
            |values: &Array2<f32>| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        fs::write(folder.path().join(format!("{index}.onnx")), bytes).unwrap();
        fs::write(folder.path().join(format!("{index}.x")), raw(x)).unwrap();
        fs::write(folder.path().join(format!("{index}.y")), raw(y)).unwrap();
        let shape: Vec<String> = input.iter().map(usize::to_string).collect();
        writeln!(list, "{}", shape.join(" ")).unwrap();
    }
    fs::write(folder.path().join("list"), list).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/onnx_runtime.py");
    let output = python.arg(script).arg(folder.path()).arg(ROWS.to_string()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    let found: BTreeMap<usize, &str> = printed
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(index, result)| Some((index.parse().ok()?, result)))
        .collect();
    let mut wrong = String::new();
    let mut largest = 0.0f64;
    for (index, Exported { name, .. }) in all.iter().enumerate() {
        let result = found.get(&index).copied().unwrap_or("nothing was printed");
        match result.parse::<f64>() {
            Ok(difference) if difference <= TOLERANCE => largest = largest.max(difference),
            _ => writeln!(wrong, "{name}: {result}").unwrap(),
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    eprintln!("{} graphs, largest difference {largest:e}", all.len());
}

#[test]
fn every_layer_is_in_the_table() {
    let registry = chainrule_layers::registry::<f32>();
    let layers = registry.entries::<chainrule_core::AnyLayer<f32>>();
    let names = layers.chain(registry.entries::<chainrule_core::AnyMerge<f32>>()).map(|entry| entry.name);
    let known: Vec<&str> = onnx_forms().flat_map(|form| form.layers).copied().collect();
    for name in names {
        assert_eq!(known.iter().filter(|known| **known == name).count(), 1, "{name} has one row");
    }
}

/// Graphs that are not read back: docs/interop.md says of which layers they are.
const NOT_READ: &[&str] = &[
    "sparsemax",
    "sparsemax of steps",
    "sparsemax of even values",
    "attention masked",
    "attention padded",
    "attention causal padded",
    "attention of padding",
    "attention rotary",
    "attention rotary grouped",
    "attention alibi causal",
    "attention with all",
    "cross-attention padded",
    "cross-attention to padding",
    "dot-product attention padded",
    "encoder padded",
    "encoder pre-norm padded",
    "encoder of another attention",
    "decoder padded",
    "decoder pre-norm padded",
    "sinusoidal positions padded",
    "learned positions padded",
    "embedding bag padded",
    "embedding bag max padded",
    "embedding bag of padding",
    "dot cosine",
    "bilinear",
    "bilinear without bias",
    "rms norm of one feature",
    "local response norm of two",
    "avg pool 2d ceil",
    "lp pool 1d",
    "lp pool 2d",
    "lp pool 2d odd",
    "lp pool 3d",
    "max unpool 1d",
    "max unpool 1d apart",
    "max unpool 2d",
    "max unpool 2d overlapping",
    "max unpool 3d",
    "bidirectional sum",
    "bidirectional multiply",
    "bidirectional backwards",
    "masking",
    "conv lstm dense",
    "conv lstm 3x3",
    "conv lstm 1d",
    "conv lstm backwards",
];

#[test]
fn graphs_are_read_and_compute_the_same() {
    let mut read = 0;
    let mut wrong = String::new();
    for Exported { name, bytes, x, y, .. } in all() {
        let onnx = match (OnnxModel::from_bytes(&bytes), NOT_READ.contains(&&*name)) {
            (Ok(onnx), false) => onnx,
            (Err(_), true) => continue,
            (Ok(_), true) => {
                writeln!(wrong, "{name} can be read: remove it from the list").unwrap();
                continue;
            }
            (Err(error), false) => {
                writeln!(wrong, "{name}: {error}").unwrap();
                continue;
            }
        };
        let model = onnx.model::<f32>().unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = model.predict(x.view()).unwrap();
        for (found, y) in found.iter().zip(&y) {
            let difference = f64::from((found - y).abs() / (1.0 + y.abs()));
            assert!(difference <= TOLERANCE, "{name}: {found} instead of {y}");
        }
        read += 1;
    }
    assert!(wrong.is_empty(), "{wrong}");
    eprintln!("{read} graphs are read");
}

/// Recurrent layers and a transformer, from a graph, learn classes that they did not know.
#[test]
fn a_model_that_was_read_can_be_trained() {
    for (layers, input) in [
        ("bidirectional(lstm(4, sequences=true)) then gru(4) then dense(3)", [5, 3]),
        (
            "learned_positions then transformer_encoder(2, 8, activation=gelu) then global_avg_pool then dense(3)",
            [4, 6],
        ),
    ] {
        let own = Model::<f32>::from_description(input, &layers.parse().unwrap(), 1).unwrap();
        let onnx = OnnxModel::from_bytes(&OnnxExport::new().to_bytes(&own).unwrap()).unwrap();
        let model = onnx.model::<f32>().unwrap();
        let mut rng = Seed(2).rng();
        let samples =
            Array2::from_shape_fn((30, input[0] * input[1]), |_| rng.below(1000) as f32 / 500.0 - 1.0);
        let classes = (0..30u8).map(|index| index % 3).collect();
        let data = Rows::new(samples, classes).unwrap().with_classes(3).with_shape(input).unwrap();
        let mut trainer =
            Trainer::new(model, CrossEntropy::default(), adam(0.02)).batch_size(10).shards(1).threads(1);
        let history = trainer.fit(&data, 60).unwrap();
        let loss = |index: usize| history.epochs[index].train.loss;
        assert!(loss(59) < 0.5 * loss(0), "{layers}: from {} to {}", loss(0), loss(59));
    }
}
