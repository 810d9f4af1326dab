//! Arrays of NumPy.

use std::path::Path;

use chainrule::interop::{Dtype, StateDict, Tensor};
use chainrule::tensor::Seed;
use chainrule_config::{Configuration, ConfiguredModel, LoadedSamples, TrainingJob};
use tempfile::TempDir;

use crate::{refused, trained};

const ARRAYS: &str = r#"
loss = "cross_entropy"
metrics = ["accuracy"]
optimizer = "adam(lr=0.01)"
epochs = 8
audit = false
augment = ["noise(0.05)"]
[data]
arrays = "marks.npz"
divide_by = 255
split = "stratified"
validation = 0.2
test = 0.2
[model]
layers = ["conv2d(4, 3)", "relu", "flatten", "dense(3)"]
"#;

fn tensor(dtype: Dtype, shape: &[usize], bytes: Vec<u8>) -> Tensor {
    Tensor::new(dtype, shape, bytes).unwrap()
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Pictures of 1 by 6 by 6 bytes with their classes, and what their classes are as an amount.
fn marks(count: usize) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut rng = Seed(6).rng();
    let labels: Vec<usize> = (0..count).map(|_| rng.below(3)).collect();
    let pixel = |label: usize, index: usize, noise: usize| if index % 3 == label { 220 } else { noise as u8 };
    let pixels = labels.iter().flat_map(|&label| (0..36).map(move |index| (label, index)));
    let pixels = pixels.map(|(label, index)| pixel(label, index, rng.below(80))).collect();
    let numbers: Vec<f32> = labels.iter().flat_map(|&label| [label as f32 * 10.0, -(label as f32)]).collect();
    let labels = labels.iter().flat_map(|&label| (label as i64).to_le_bytes()).collect();
    let mut archive = StateDict::new();
    archive.insert("x", tensor(Dtype::U8, &[count, 1, 6, 6], pixels));
    archive.insert("y", tensor(Dtype::I64, &[count], labels));
    archive.insert("amounts", tensor(Dtype::F32, &[count, 2], bytes_of(&numbers)));
    archive.write_npz(directory.path().join("marks.npz")).unwrap();
    directory
}

/// An archive with one array is a zip file of a `.npy` file, stored as it is.
fn npy(path: &Path, tensor: Tensor) {
    let mut archive = StateDict::new();
    archive.insert("a", tensor);
    let bytes = archive.to_npz().unwrap();
    let start = bytes.windows(6).position(|window| window == b"\x93NUMPY").unwrap();
    let end = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    std::fs::write(path, &bytes[start..end]).unwrap();
}

#[test]
fn from_arrays_to_predictions() {
    let directory = marks(240);
    let registry = chainrule::registry();
    let trained_model = trained(ARRAYS, directory.path(), &[]).unwrap();
    let test = trained_model.test.unwrap();
    assert_eq!(test.samples, 48);
    assert!(test.scores.metric("accuracy") > Some(0.9), "{}", test.scores);
    let saved = directory.path().join("marks.chainrule");
    trained_model.model.save(&saved).unwrap();
    let model = ConfiguredModel::load(&saved, &registry).unwrap();
    let evaluated = model.evaluate(directory.path().join("marks.npz"), &registry, 1).unwrap();
    assert_eq!(evaluated.samples, 240);
    let picture = (0..36).map(|index| if index % 3 == 2 { 220 } else { 10 }).collect();
    let new = directory.path().join("new.npy");
    npy(&new, tensor(Dtype::U8, &[1, 1, 6, 6], picture));
    let predicted = model.predict(&new, &registry).unwrap();
    assert!(predicted.outputs()[0].values()[[0, 2]] > 0.5, "{:?}", predicted.outputs()[0].values());
    npy(&new, tensor(Dtype::U8, &[1, 5, 5], vec![0; 25]));
    let error = model.predict(&new, &registry).unwrap_err().to_string();
    assert!(
        error.contains("the samples have the shape [5, 5], but the model was trained on [1, 6, 6]"),
        "{error}"
    );
}

#[test]
fn targets_may_be_amounts_and_files_of_their_own() {
    let directory = marks(240);
    let numbers = [
        "data.target=amounts",
        "data.scale_targets=true",
        "data.split=random",
        "loss=mean_squared_error",
        "metrics=r2",
        "model.layers.3=dense(2)",
        "epochs=12",
    ];
    let test = trained(ARRAYS, directory.path(), &numbers).unwrap().test.unwrap();
    assert!(test.scores.metric("r2") > Some(0.8), "{}", test.scores);
    let archive = StateDict::read_npz(directory.path().join("marks.npz")).unwrap();
    for name in ["x", "y"] {
        npy(&directory.path().join(format!("{name}.npy")), archive.get(name).unwrap().clone());
    }
    let files = ["data.arrays=x.npy", "data.target=y.npy"];
    let of_files = trained(ARRAYS, directory.path(), &files).unwrap();
    let of_archive = trained(ARRAYS, directory.path(), &[]).unwrap();
    assert_eq!(of_files.model.parameters_sha256(), of_archive.model.parameters_sha256());
    // Samples that stay in their file make the same model, and the same predictions.
    let in_file = [&files[..], &["data.in_memory=false", "shards=2"]].concat();
    let in_memory = [&files[..], &["data.in_memory=true", "shards=2"]].concat();
    let [in_file, in_memory] =
        [in_file, in_memory].map(|changes| trained(ARRAYS, directory.path(), &changes).unwrap());
    assert_eq!(in_file.model.parameters_sha256(), in_memory.model.parameters_sha256());
    assert_eq!(in_file.test.unwrap().scores, in_memory.test.unwrap().scores);
    let registry = chainrule::registry();
    let predictions = [in_file.model, in_memory.model].map(|model| {
        let saved = directory.path().join("marks.chainrule");
        model.save(&saved).unwrap();
        let model = ConfiguredModel::load(&saved, &registry).unwrap();
        model.predict(directory.path().join("x.npy"), &registry).unwrap().outputs()[0].values().to_owned()
    });
    assert_eq!(predictions[0], predictions[1]);
}

/// A file that became shorter while it was trained on is an error that names it, not a model.
#[test]
fn a_file_that_cannot_be_read_any_more() {
    let directory = marks(120);
    let archive = StateDict::read_npz(directory.path().join("marks.npz")).unwrap();
    for name in ["x", "y"] {
        npy(&directory.path().join(format!("{name}.npy")), archive.get(name).unwrap().clone());
    }
    let registry = chainrule::registry();
    let path = directory.path().join("marks.toml");
    std::fs::write(&path, ARRAYS).unwrap();
    let changes = ["data.arrays=x.npy", "data.target=y.npy", "data.in_memory=false", "augment=[]"];
    let configuration = Configuration::read(&path, &changes, &registry).unwrap();
    let data = configuration.load_data(&registry).unwrap();
    let model = configuration.model(&registry, data.shape()).unwrap();
    let LoadedSamples::Classes(parts) = data.samples else { panic!("they are classes") };
    let mut job = TrainingJob::new(&configuration, &registry, model, data.predicts, parts).unwrap();
    let samples = std::fs::OpenOptions::new().write(true).open(directory.path().join("x.npy")).unwrap();
    samples.set_len(1000).unwrap();
    let error = job.fit().unwrap_err().to_string();
    assert!(error.contains("cannot be read any more") && error.contains("x.npy"), "{error}");
}

#[test]
fn what_cannot_be_says_where() {
    let directory = marks(60);
    let wrong = |change: &str| refused(ARRAYS, directory.path(), &[change]);
    let text = wrong("data.target=z");
    assert!(
        text.ends_with("it has no array \"z\", only amounts, x, y; the nearest is \"x\"")
            || text.contains("it has no array \"z\""),
        "{text}"
    );
    let text = wrong("data.target=amounts");
    assert!(text.contains("a stratified split needs targets that are classes"), "{text}");
    let text = wrong("data.target=x");
    assert!(text.contains("the targets have the shape [60, 1, 6, 6], but there are 60 samples"), "{text}");
    let text = wrong("data.divide_by=0");
    assert!(text.contains("`data.divide_by` is 0, but must be a number other than 0"), "{text}");
    let text = wrong("data.target_kind=class");
    assert!(
        text.contains("`data.target_kind` is \"class\", but must be one of \"classes\", \"numbers\""),
        "{text}"
    );
    let text = wrong("data.arrays=x.npy");
    assert!(text.contains("`data.target` is missing: give the .npy file of the targets"), "{text}");
    let text = wrong("data.in_memory=false");
    assert!(text.contains("save them as a .npy file"), "{text}");
    let text = wrong("data.input=x");
    assert!(text.contains("there is no `data.input`; the nearest is `inputs`"), "{text}");
}

/// More classes than bytes can number.
#[test]
fn three_hundred_classes() {
    let directory = tempfile::tempdir().unwrap();
    let count = 900;
    let class = |row: usize| row % 300;
    // A code of 24 signs for each class.
    let signs = |row: usize| {
        let mut rng = Seed(class(row) as u64).rng();
        (0..24).map(move |_| if rng.below(2) == 0 { -1.0 } else { 1.0 })
    };
    let values: Vec<f32> = (0..count).flat_map(signs).collect();
    let mut archive = StateDict::new();
    archive.insert("x", tensor(Dtype::F32, &[count, 24], bytes_of(&values)));
    let labels = (0..count).flat_map(|row| (class(row) as u16).to_le_bytes()).collect();
    archive.insert("y", tensor(Dtype::U16, &[count], labels));
    archive.write_npz(directory.path().join("marks.npz")).unwrap();
    let changes = [
        "augment=[]",
        "data.divide_by=1",
        "data.validation=0",
        "data.test=0",
        "model.layers=[\"dense(300)\"]",
        "optimizer.lr=0.05",
        "epochs=10",
    ];
    let trained = trained(ARRAYS, directory.path(), &changes).unwrap();
    let accuracy = trained.train.scores.metric("accuracy").unwrap();
    assert!(accuracy > 0.9, "{accuracy}");
    assert_eq!(trained.train.confusion.unwrap().len(), 300);
}
