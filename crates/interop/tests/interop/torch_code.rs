//! Models as code of PyTorch, run by PyTorch, where it is installed.

use std::fs;
use std::path::Path;
use std::process::Command;

use chainrule_interop::{Loading, Names, StateDict, TorchExport};
use chainrule_train::Model;

use crate::file;
use crate::source::{LENET, model, samples};

/// The difference that is allowed, relative to the value or to 1.
const TOLERANCE: f64 = 1e-5;

const ROWS: usize = 3;

/// Layers and the shape of a sample: every module.
const CASES: &[(&str, &[usize])] = &[
    ("flatten then dense(8) then relu then dropout(0.5) then dense(3, bias=false) then softmax", &[4, 5]),
    (LENET, &[1, 28, 28]),
    (
        "reshape([1, 6, 8]) then conv2d(4, 3, padding=same, bias=false) then batch_norm then relu then global_avg_pool",
        &[6, 8],
    ),
    ("conv1d(4, 3, stride=2, padding=1) then silu then conv1d(2, 2, dilation=2)", &[3, 17]),
    ("conv2d(4, 3, stride=2, padding=same, groups=2)", &[2, 9, 7]),
    ("conv3d(2, 2) then relu6 then max_pool3d(2)", &[1, 5, 5, 5]),
    ("depthwise_conv2d(3, multiplier=2) then hard_swish", &[3, 6, 5]),
    ("separable_conv2d(4, 3, padding=same) then separable_conv2d(2, 3, multiplier=2)", &[2, 6, 6]),
    ("max_pool2d(3, stride=2, padding=1, ceil=true) then avg_pool2d(2, stride=1)", &[2, 8, 7]),
    ("avg_pool2d([3, 2], stride=2, padding=1, exclude_padding=true)", &[2, 8, 7]),
    ("adaptive_avg_pool2d([3, 2]) then adaptive_max_pool2d(2)", &[2, 8, 7]),
    ("global_max_pool then batch_norm(affine=false)", &[3, 9]),
    ("layer_norm then layer_norm(axes=2, bias=false) then rms_norm", &[3, 7]),
    ("group_norm(2) then instance_norm", &[4, 3, 3]),
    ("lstm(4, sequences=true) then lstm(3, backwards=true) then dense(2)", &[6, 3]),
    ("gru(4, sequences=true, bias=false) then gru(3)", &[6, 3]),
    ("rnn(4, activation=relu, sequences=true) then rnn(3)", &[6, 3]),
    ("bidirectional(lstm(3, sequences=true)) then bidirectional(gru(2)) then dense(2)", &[5, 3]),
    (
        "lstm(4, sequences=true, backwards=true) then time_distributed(sequential([dense(3), tanh, dense(2)])) then one_step(first)",
        &[5, 3],
    ),
    ("embedding(7, 4, padding_index=0) then permute([1, 0]) then conv1d(3, 2)", &[5]),
    (
        "reshape([1, 8, 8]) then patches(4) then time_distributed(dense(6)) then class_token then learned_positions then transformer_encoder(2, 8) \
      then transformer_encoder(3, 8, activation=gelu, pre_norm=true) then one_step(first) then dense(3)",
        &[8, 8],
    ),
    ("residual(sequential([dense(4), relu, dense(4)])) then frozen(dense(3)) then prelu", &[4]),
    (
        "conv2d(2, 3, padding=same) then branches(concat, [sequential([conv2d(2, 3, padding=same), relu]), identity, relu])",
        &[1, 5, 5],
    ),
    ("branches(average, [dense(3), dense(3), dense(3)]) then branches(multiply, [dense(3), identity])", &[4]),
    ("branches(maximum, [dense(3), dense(3)]) then branches(subtract, [dense(3), identity])", &[4]),
    (
        "graph(inputs=[input(a, [2, 3]), input(b, [6])], nodes=[layer(c, flatten, a), merge(d, add, [c, b]), \
         layer(e, sequential([dense(2), relu]), d)], outputs=[e, d])",
        &[12],
    ),
    (
        "graph(nodes=[layer(a, dense(4), input), shared(b, a, [a]), merge(c, concat, [a, b])], outputs=[c])",
        &[4],
    ),
    (
        "zero_padding2d([1, [0, 2]]) then constant_padding2d(1, 0.5) then reflection_padding2d(1) then replication_padding2d(1) \
      then circular_padding2d(1)",
        &[2, 4, 3],
    ),
    ("up_sampling2d(2) then pixel_unshuffle(2) then channel_shuffle(2) then pixel_shuffle(2)", &[2, 3, 2]),
    (
        "spatial_dropout(0.5) then alpha_dropout(0.5) then feature_alpha_dropout(0.5) then prelu(shared=0) then softmax2d",
        &[3, 2, 2],
    ),
    ("glu then leaky_relu(0.3) then threshold(0.5, 0.25) then hard_tanh(-0.5, 2.0)", &[3, 6]),
    ("elu(1.5) then celu(0.7) then selu then gelu then gelu_tanh", &[33]),
    ("hard_sigmoid then hard_shrink then soft_shrink(0.1) then tanh_shrink", &[33]),
    ("softsign then mish then softplus(1.5, threshold=2.0) then log_sigmoid then rrelu", &[33]),
    ("sigmoid then softmin then log_softmax", &[2, 9]),
];

/// Python with the packages, if there is one: `CHAINRULE_PYTHON`, or `python3`.
fn python() -> Option<Command> {
    let program = std::env::var("CHAINRULE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let packages = Command::new(&program).args(["-c", "import numpy, safetensors, torch"]).output();
    packages.ok()?.status.success().then(|| Command::new(program))
}

/// Writes a model and what it predicts; returns its line of the list.
fn write(folder: &Path, index: usize, (text, input): (&str, &[usize])) -> serde_json::Value {
    let model = model(text, input);
    let x = samples(text, ROWS, model.input().size(), 4);
    let y = model.predict(x.view()).unwrap();
    let code = folder.join(format!("{index}.py"));
    let weights = TorchExport::new().write(&model, &code).unwrap_or_else(|error| panic!("{text}: {error}"));
    // The weights come back.
    let mut again = Model::<f32>::from_description(model.input(), &model.describe(), 9).unwrap();
    Loading::new(Names::PyTorch).load(&StateDict::read_safetensors(weights).unwrap(), &mut again).unwrap();
    assert_eq!(again.parameters(), model.parameters(), "{text}");
    let raw =
        |values: &ndarray::Array2<f32>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    fs::write(folder.join(format!("{index}.x")), raw(&x)).unwrap();
    fs::write(folder.join(format!("{index}.y")), raw(&y)).unwrap();
    let (input, output) = (model.input().to_vec(), model.output().to_vec());
    serde_json::json!({ "name": index.to_string(), "input": input, "output": output })
}

#[test]
fn the_code_of_pytorch_computes_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let list: Vec<_> =
        CASES.iter().enumerate().map(|(index, case)| write(folder.path(), index, *case)).collect();
    fs::write(folder.path().join("cases.json"), serde_json::Value::from(list).to_string()).unwrap();
    let Some(mut python) = python() else {
        eprintln!(
            "SKIPPED: Python has no packages torch and safetensors: `pip install torch==2.15.0 safetensors==0.8.0 numpy`, and set \
             CHAINRULE_PYTHON to that Python"
        );
        return;
    };
    let output = python.arg(file("torch_code.py")).arg(folder.path()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(printed.lines().count(), CASES.len());
    let mut worst = 0.0;
    let mut problems = Vec::new();
    for line in printed.lines() {
        let mut words = line.split(' ');
        let (text, _) = CASES[words.next().unwrap().parse::<usize>().unwrap()];
        match words.next().unwrap().parse::<f64>().unwrap() {
            difference if difference <= TOLERANCE => worst = f64::max(worst, difference),
            _ => problems.push(format!("{line}: {text}")),
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    eprintln!("{} models, the largest difference {worst:e}", CASES.len());
}

#[test]
fn what_has_no_module_is_named() {
    let error = |text: &str, input: &[usize]| {
        TorchExport::new().code(&model(text, input), "w.safetensors").unwrap_err().to_string()
    };
    let cases: [(&str, &[usize], &str); 3] = [
        (
            "relu then squareplus",
            &[3],
            "layer 1, squareplus, cannot be written as code of PyTorch: there is no module",
        ),
        ("conv1d(2, 2, stride=2, padding=same)", &[1, 5], "its padding differs before and after"),
        ("lstm(2, masked=true)", &[3, 2], "its setting masked is on"),
    ];
    for (text, input, part) in cases {
        let message = error(text, input);
        assert!(message.contains(part), "{message}");
    }
}
