//! Models that are built from descriptions, by files and by programs.

use std::path::Path;

use chainrule_core::{
    AnyLayer, Backward, Forward, Graph, Layer, Plan, Residual, Sequential, ShapeError, describe, described,
    register,
};
use chainrule_layers::init::HeNormal;
use chainrule_layers::{
    Add, Bidirectional, Conv2d, Dense, Dropout, Flatten, Lstm, MaxPool2d, Padding, Relu, Swish,
    TimeDistributed, TransformerEncoder, WeightNorm,
};
use chainrule_tensor::{Seed, Shape};
use chainrule_train::file::{self, Contents};
use chainrule_train::{FileError, Model, ModelError};

use crate::MEASURED;

/// `y = 2 x`, a layer of the program.
#[derive(Debug)]
struct Twice;

describe! {
    /// Twice the input.
    Twice = "twice";
}

impl Layer<f32> for Twice {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, f32>) {
        y.assign(&x);
        y *= 2.0;
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, f32>) {
        let Some(mut dx) = dx else { return };
        dx.assign(&dy);
        dx *= 2.0;
    }

    described!();
}

/// The same without an entry.
#[derive(Debug)]
struct Unnamed {
    _factor: f64,
}

impl Layer<f32> for Unnamed {
    type Cache = ();

    fn plan(&self, input: Shape, _: &mut Plan) -> Result<(Shape, ()), ShapeError> {
        Ok((input, ()))
    }

    fn forward(&self, Forward { x, mut y, .. }: Forward<'_, f32>) {
        y.assign(&x);
    }

    fn backward(&self, Backward { dy, dx, .. }: Backward<'_, f32>) {
        let Some(mut dx) = dx else { return };
        dx.assign(&dy);
    }
}

fn image_model() -> Model<f32> {
    let block = Graph::new()
        .layer("deep", Conv2d::new(4, 3).padding(Padding::Same), "input")
        .shared("deeper", "deep", ["deep"])
        .merge("sum", Add, ["deeper", "input"])
        .outputs(["sum"]);
    let layers = Sequential::new()
        .then(Conv2d::keras(4, [3, 2]).padding([[1, 1], [0, 1]]))
        .then(Residual(Sequential::new().then(block).then(Relu)))
        .then(MaxPool2d::new(2))
        .then(Flatten)
        .then(WeightNorm::new(Dense::new(6).weight_init(HeNormal)))
        .then(Dropout::new(0.25))
        .then(Dense::new(3).without_bias());
    Model::new([2, 6, 6], layers, Seed(5)).unwrap()
}

fn sequence_model() -> Model<f32> {
    let layers = Sequential::new()
        .then(Bidirectional::new(Lstm::keras(3).sequences()).average())
        .then(TransformerEncoder::new(1, 5).activation(Swish).pre_norm().dropout(0.0))
        .then(TimeDistributed(Dense::new(2)));
    Model::new([4, 2], layers, Seed(6)).unwrap()
}

#[test]
fn a_file_needs_no_code() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let model = image_model();
    model.save(&path).unwrap();
    let loaded = Model::<f32>::load(&path).unwrap();
    assert_eq!(loaded.describe(), model.describe());
    assert_eq!(loaded.parameters_sha256(), model.parameters_sha256());
    assert_eq!(loaded.summary(), model.summary());
    let x = ndarray::Array2::from_shape_fn((3, 72), |(row, column)| (row * 72 + column) as f32 * 0.01 - 1.0);
    assert_eq!(loaded.predict(x.view()).unwrap(), model.predict(x.view()).unwrap());

    let model = sequence_model();
    model.save(&path).unwrap();
    let loaded = Model::<f32>::load(&path).unwrap();
    assert_eq!(loaded.parameters_sha256(), model.parameters_sha256());
    let x = ndarray::Array2::from_shape_fn((2, 8), |(row, column)| (row * 8 + column) as f32 * 0.1 - 0.5);
    assert_eq!(loaded.predict(x.view()).unwrap(), model.predict(x.view()).unwrap());

    let double = Sequential::<f64>::default().then(Dense::new(2));
    Model::new([3], double, Seed(0)).unwrap().save(&path).unwrap();
    let error = Model::<f32>::load(&path).unwrap_err();
    assert!(error.to_string().contains("f64 parameters, but f32 are expected"), "{error}");
}

#[test]
fn a_description_is_a_model() {
    let _alone = MEASURED.lock().unwrap();
    let model = image_model();
    let again = Model::<f32>::from_description([2, 6, 6], &model.describe(), Seed(5)).unwrap();
    assert_eq!(again.parameters_sha256(), model.parameters_sha256());

    let text = "flatten then Linear(8) then swish then dense.keras(3, use_bias=false)";
    let model = Model::<f32>::from_description([4, 4], &text.parse().unwrap(), Seed(1)).unwrap();
    assert_eq!(model.parameters().len(), 16 * 8 + 8 + 8 * 3);
    let again = Model::<f32>::from_description([4, 4], &model.describe(), Seed(1)).unwrap();
    assert_eq!(again.parameters_sha256(), model.parameters_sha256());

    let error = Model::<f32>::from_description([4], &"dens(3)".parse().unwrap(), Seed(0)).unwrap_err();
    assert!(matches!(error, ModelError::Description(_)), "{error}");
    assert_eq!(error.to_string(), "there is no layer named `dens`; the nearest name is `dense`");
    let error = Model::<f32>::from_description([4, 4], &"dense(3)".parse().unwrap(), Seed(0)).unwrap_err();
    assert!(matches!(error, ModelError::Shape(_)), "{error}");
}

#[test]
fn layers_of_the_program() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let layers = || Sequential::new().then(Dense::new(3)).then(Twice);
    let model = Model::new([4], layers(), Seed(2)).unwrap();
    model.save(&path).unwrap();
    let error = Model::<f32>::load(&path).unwrap_err();
    assert!(matches!(error, FileError::Layers { .. }), "{error}");
    assert!(error.to_string().contains("Model::load_with"), "{error}");

    let mut registry = chainrule_layers::registry::<f32>();
    register!(registry, AnyLayer<f32>, AnyLayer::new; Twice);
    let loaded = Model::<f32>::load_with(&path, &registry).unwrap();
    assert_eq!(loaded.describe(), model.describe());
    let loaded = Model::load_into(&path, layers()).unwrap();
    assert_eq!(loaded.parameters_sha256(), model.parameters_sha256());
    let others = Sequential::new().then(Dense::new(3)).then(Residual(Twice));
    assert!(matches!(Model::load_into(&path, others), Err(FileError::Architecture { .. })));

    // Without an entry: compared by what it prints.
    let layers = |factor| Sequential::new().then(Dense::new(3)).then(Unnamed { _factor: factor });
    Model::new([4], layers(1.0), Seed(2)).unwrap().save(&path).unwrap();
    assert!(Model::load_into(&path, layers(1.0)).is_ok());
    assert!(matches!(Model::load_into(&path, layers(2.0)), Err(FileError::Architecture { .. })));
    assert!(matches!(Model::<f32>::load_with(&path, &registry), Err(FileError::Layers { .. })));
}

#[test]
fn what_the_file_says_is_compared() {
    let _alone = MEASURED.lock().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model");
    let layers = || Sequential::new().then(Dense::new(3)).then(Dropout::new(0.5));
    Model::new([4], layers(), Seed(2)).unwrap().save(&path).unwrap();
    let error = |layers| Model::<f32>::load_into(&path, layers).unwrap_err().to_string();
    let other = error(Sequential::new().then(Dense::new(3)).then(Dropout::new(0.25)));
    assert!(
        other.contains("it has the layer 1: Dropout(p=0.5) where the program has 1: Dropout(p=0.25)"),
        "{other}"
    );
    // Initial values are no part of what summaries call a layer.
    let other = error(Sequential::new().then(Dense::keras(3)).then(Dropout::new(0.5)));
    assert!(
        other.contains("weight_init=fan_in_uniform") && other.contains("weight_init=glorot_uniform"),
        "{other}"
    );
    // A file that was written before a layer had a setting says nothing of it.
    let contents = file::read(&path).unwrap();
    let description = "sequential([dense(3, weight_init=fan_in_uniform), dropout])".to_owned();
    file::write(&path, &Contents { description: Some(description), ..contents.clone() }).unwrap();
    let position = Model::<f32>::load_into(&path, layers());
    assert!(matches!(position, Err(FileError::Architecture { .. })), "settings have their names in a file");
    let description = "sequential(layers=[dense(units=3), dropout])".to_owned();
    file::write(&path, &Contents { description: Some(description), ..contents }).unwrap();
    assert!(Model::load_into(&path, layers()).is_ok());
    assert!(Model::<f32>::load(&path).is_ok());
}

/// Files that versions of the format wrote.
#[test]
fn files_of_earlier_versions_are_read() {
    let _alone = MEASURED.lock().unwrap();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let read = |name: &str| Model::<f32>::load(directory.join(name));
    assert_eq!(std::fs::read(directory.join("version-5-model.bin")).unwrap()[8], 5);
    let model = read("version-5-model.bin").unwrap();
    assert_eq!(model.describe(), image_model().describe());
    assert_eq!(model.parameters_sha256(), "f282cf43c8214551ae7868bd0b859e7e03609fa27b6628ee2134c0866055151b");
    // Before version 5, nothing says what the layers are.
    for name in ["version-2-model.bin", "version-2-checkpoint.bin"] {
        let error = read(name).unwrap_err();
        assert!(matches!(error, FileError::NotDescribed { .. }), "{error}");
        assert!(error.to_string().contains("Model::load_into"), "{error}");
    }
}
