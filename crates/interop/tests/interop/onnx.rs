//! Graphs that were written, read back, and graphs of PyTorch's two exporters, made by `pytorch.py`.

use chainrule_interop::{Names, OnnxExport, OnnxModel, OnnxReadError, StateDict};
use chainrule_tensor::Seed;
use chainrule_train::Model;
use ndarray::Array2;

use crate::{cases, file};

fn model(text: &str, input: &[usize]) -> Model<f32> {
    let input = chainrule_tensor::Shape::new(input).unwrap();
    Model::from_description(input, &text.parse().unwrap(), Seed(3)).unwrap()
}

fn read(model: &Model<f32>, export: OnnxExport) -> OnnxModel {
    OnnxModel::from_bytes(&export.to_bytes(model).unwrap()).unwrap()
}

#[test]
fn graphs_of_pytorch_become_models() {
    let mut read = 0;
    for case in cases() {
        let name = &case.name;
        for form in ["", " traced"] {
            let path = file(format!("pytorch/{name}{form}.onnx"));
            if !path.exists() {
                continue;
            }
            let onnx = OnnxModel::read(path).unwrap_or_else(|error| panic!("{name}{form}: {error}"));
            assert_eq!(onnx.input().to_vec(), case.input);
            let model = onnx.model::<f32>().unwrap();
            let difference = case.difference(&model, &case.y);
            assert!(difference < 2e-6, "{name}{form}: {difference}");
            // Written again, it is the same graph to us.
            let again = self::read(&model, OnnxExport::new());
            assert_eq!(again.input().to_vec(), case.input);
            let difference = case.difference(&again.model().unwrap(), &case.y);
            assert!(difference < 2e-6, "{name}{form}, written again: {difference}");
            read += 1;
        }
    }
    assert_eq!(read, 22, "the graphs that `pytorch.py` writes");
    let onnx = OnnxModel::read(file("pytorch/mlp.onnx")).unwrap();
    let names: Vec<_> =
        onnx.model::<f32>().unwrap().plan().layers().iter().map(|info| info.label.clone()).collect();
    let norm = "BatchNorm(momentum=0.1, epsilon=1e-5, unbiased=true)";
    assert_eq!(names, ["Dense(units=6)", "Relu", norm, "Dense(units=3)", "Softmax"]);
}

#[test]
fn poolings_one_after_the_other_stay_two() {
    let x = Array2::from_shape_fn((2, 18), |(row, i)| ((7 * i + row) % 11) as f32);
    for text in [
        "adaptive_avg_pool1d(4) then adaptive_avg_pool1d(2)",
        "adaptive_max_pool1d(5) then adaptive_max_pool1d(3)",
        "adaptive_max_pool1d(4) then adaptive_avg_pool1d(3)",
    ] {
        let model = model(text, &[3, 6]);
        let again = read(&model, OnnxExport::new()).model::<f32>().unwrap();
        let difference = (&again.predict(x.view()).unwrap() - &model.predict(x.view()).unwrap())
            .fold(0.0, |most: f32, difference| most.max(difference.abs()));
        assert!(difference < 1e-5, "{text}: {difference}");
    }
}

/// The layers that a graph of PyTorch becomes, by both of its exporters.
#[test]
fn operators_and_formulas_become_the_layers_that_they_are() {
    for (name, layers) in [
        (
            "lstm",
            "lstm(units=4, sequences=true, bias=true, backwards=false), lstm(units=3, sequences=false, bias=true, backwards=false)",
        ),
        (
            "gru",
            "bidirectional(layer=gru(units=3, sequences=true, bias=true, backwards=false)), \
             gru(units=2, sequences=false, bias=true, backwards=false)",
        ),
        ("attention", "multi_head_attention(heads=2, bias=true, causal=false, alibi=false)"),
    ] {
        for form in ["", " traced"] {
            let onnx = OnnxModel::read(file(format!("pytorch/{name}{form}.onnx"))).unwrap();
            assert_eq!(
                onnx.description().to_string(),
                format!("sequential(layers=[{layers}])"),
                "{name}{form}"
            );
            // The weights are those of the state dict, but for the rounding of the sum of two biases.
            let own = cases().into_iter().find(|case| case.name == name).unwrap().model(1);
            assert_eq!(onnx.model::<f32>().unwrap().parameters().len(), own.parameters().len());
        }
    }
    let onnx = OnnxModel::read(file("pytorch/encoder traced.onnx")).unwrap().description().to_string();
    let count = |name: &str| onnx.matches(&format!("layer={name}")).count();
    assert_eq!(
        [count("multi_head_attention"), count("layer_norm"), count("gelu"), count("relu"), count("reshape")],
        [2, 5, 1, 1, 0]
    );
}

#[test]
fn graphs_of_keras_become_models() {
    let cases: Vec<crate::Case> =
        serde_json::from_str(&std::fs::read_to_string(file("keras-graphs/cases.json")).unwrap()).unwrap();
    for case in cases {
        let name = &case.name;
        let onnx = OnnxModel::read(file(format!("keras-graphs/{name}.onnx")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(onnx.input().to_vec(), case.input);
        assert!(
            case.description.split(' ').all(|layer| onnx.description().to_string().contains(layer)),
            "{name}: {}",
            onnx.description()
        );
        let difference = case.difference(&onnx.model::<f32>().unwrap(), &case.y);
        assert!(difference < 1e-5, "{name}: {difference}");
    }
    // Its GRU is a loop.
    let error = OnnxModel::read(file("keras-graphs/gru.onnx")).unwrap_err().to_string();
    assert!(error.contains("Loop, which is not known"), "{error}");
}

#[test]
fn what_was_written_is_read() {
    let text = "conv2d(4, 3, padding=1) then batch_norm then relu then max_pool2d(2) then flatten then dense(5) then log_softmax";
    let own = model(text, &[2, 6, 6]);
    let onnx = read(&own, OnnxExport::new());
    let again: Model<f32> = onnx.model().unwrap();
    assert_eq!(again.parameters_sha256(), own.parameters_sha256());
    let double: Model<f64> = onnx.model().unwrap();
    assert_eq!(double.parameters().len(), own.parameters().len());
    let labels =
        |model: &Model<f32>| model.plan().layers().iter().map(|info| info.label.clone()).collect::<Vec<_>>();
    // The stride of a pooling is written out, and is what it was.
    assert_eq!(labels(&again).join(" ").replace(", stride=[2, 2]", ""), labels(&own).join(" "));
    assert_eq!(StateDict::of(&again, Names::Chainrule), StateDict::of(&own, Names::Chainrule));
}

#[test]
fn a_graph_ends_with_a_softmax_or_not() {
    let last = |onnx: &OnnxModel| onnx.description().to_string().contains("softmax");
    for (text, softmax, expected) in [
        ("dense(3)", None, false),
        ("dense(3)", Some(true), true),
        ("dense(3)", Some(false), false),
        ("dense(3) then softmax", None, true),
        ("dense(3) then softmax", Some(true), true),
        ("dense(3) then softmax", Some(false), false),
    ] {
        let export = softmax.map_or(OnnxExport::new(), |softmax| OnnxExport::new().softmax(softmax));
        let own = model(text, &[4]);
        let onnx = read(&own, export);
        assert_eq!(last(&onnx), expected, "{text} {softmax:?}");
        let probabilities =
            onnx.model::<f32>().unwrap().predict(Array2::from_elem((2, 4), 0.5).view()).unwrap();
        let sum = probabilities.row(0).sum();
        assert_eq!((sum - 1.0).abs() < 1e-6, expected, "{text} {softmax:?}: {sum}");
    }
}

#[test]
fn several_inputs_and_outputs_are_one_vector() {
    let text = "graph(inputs=[input(a, [2, 3]), input(b, [6])], nodes=[layer(c, flatten, a), merge(d, add, [c, b]), \
                layer(e, dense(2), d)], outputs=[e, d])";
    let own = model(text, &[12]);
    let bytes = OnnxExport::new().to_bytes(&own).unwrap();
    let again = OnnxModel::from_bytes(&bytes).unwrap().model::<f32>().unwrap();
    let x = Array2::from_shape_fn((3, 12), |(row, column)| (row * 12 + column) as f32 / 7.0);
    assert_eq!(again.predict(x.view()).unwrap(), own.predict(x.view()).unwrap());
}

#[test]
fn what_cannot_be_expressed_is_named() {
    let own = model("relu then lstm(2, masked=true)", &[3, 2]);
    let error = OnnxExport::new().to_bytes(&own).unwrap_err().to_string();
    assert!(
        error.starts_with("layer 1, lstm, cannot be written as ONNX: its setting masked is on"),
        "{error}"
    );
}

#[test]
fn every_cut_and_every_change_of_a_byte_is_an_error_or_harmless() {
    for name in ["mlp", "gru", "attention"] {
        changed(std::fs::read(file(format!("pytorch/{name}.onnx"))).unwrap());
    }
}

fn changed(bytes: Vec<u8>) {
    for length in 0..bytes.len() {
        let _ = OnnxModel::from_bytes(&bytes[..length]);
    }
    let mut errors = 0;
    for index in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[index] ^= change;
            match OnnxModel::from_bytes(&changed) {
                Ok(onnx) => assert!(onnx.weights().len() < 20),
                Err(OnnxReadError::Format { .. } | OnnxReadError::Node { .. }) => errors += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(errors > bytes.len() / 8, "{errors}");
}
