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
    for name in ["mlp", "lenet", "resnet", "words"] {
        let case = cases().into_iter().find(|case| case.name == name).unwrap();
        for form in ["", " traced"] {
            let onnx = OnnxModel::read(file(format!("pytorch/{name}{form}.onnx"))).unwrap();
            assert_eq!(onnx.input().to_vec(), case.input);
            let model = onnx.model::<f32>().unwrap();
            let difference = case.difference(&model, &case.y);
            assert!(difference < 2e-6, "{name}{form}: {difference}");
        }
    }
    let onnx = OnnxModel::read(file("pytorch/mlp.onnx")).unwrap();
    let names: Vec<_> =
        onnx.model::<f32>().unwrap().plan().layers().iter().map(|info| info.label.clone()).collect();
    let norm = "BatchNorm(momentum=0.1, epsilon=1e-5, unbiased=true)";
    assert_eq!(names, ["Dense(units=6)", "Relu", norm, "Dense(units=3)", "Softmax"]);
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
    // Slices of the one input are no layer.
    let error = OnnxModel::from_bytes(&bytes).unwrap_err();
    assert!(error.to_string().contains("Slice, becomes no layer"), "{error}");
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
    let bytes = std::fs::read(file("pytorch/mlp.onnx")).unwrap();
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
    assert!(errors > bytes.len() / 4, "{errors}");
}
