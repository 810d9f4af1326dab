//! Weights to and from files of other libraries.

mod graphs;
mod hostile;
mod keras;
mod keras_files;
mod loading;
mod onnx;
mod pytorch;
mod source;
mod tables;
mod torch_code;

use std::path::{Path, PathBuf};

use chainrule_train::Model;
use serde::Deserialize;

/// A file beside the tests.
fn file(name: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(name)
}

/// A network that `pytorch.py` has in PyTorch's modules, the samples, and what the modules compute.
#[derive(Deserialize)]
struct Case {
    name: String,
    description: String,
    input: Vec<usize>,
    x: Vec<f32>,
    y: Vec<f32>,
}

/// All of them.
fn cases() -> Vec<Case> {
    serde_json::from_str(&std::fs::read_to_string(file("pytorch/cases.json")).unwrap()).unwrap()
}

impl Case {
    fn model(&self, seed: u64) -> Model<f32> {
        let input = chainrule_tensor::Shape::new(&self.input).unwrap();
        Model::from_description(input, &self.description.parse().unwrap(), seed).unwrap()
    }

    /// How far the outputs of a model are from these.
    fn difference(&self, model: &Model<f32>, y: &[f32]) -> f32 {
        let size = model.input().size();
        let x = ndarray::ArrayView2::from_shape((self.x.len() / size, size), &self.x).unwrap();
        let found = model.predict(x).unwrap();
        assert_eq!(found.len(), y.len(), "{}", self.name);
        found.iter().zip(y).map(|(found, y)| (found - y).abs()).fold(0.0, f32::max)
    }
}
