//! Model files and checkpoints.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use chainrule_core::Sequential;
use chainrule_data::Rows;
use chainrule_layers::{Dense, Relu};
use chainrule_losses::CrossEntropy;
use chainrule_optim::adam;
use chainrule_tensor::Seed;
use chainrule_train::callbacks::{CsvLog, EarlyStopping};
use chainrule_train::{Model, Trainer, file};
use ndarray::array;
use sha2::{Digest, Sha256};

use crate::{directory, file_with};

/// A model file with this payload, the header and the checksum that belong to it.
pub fn sealed(payload: &[u8]) -> PathBuf {
    /// The magic number and the version, as this chainrule writes them.
    static START: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let path = file_with("own", &[]);
        model().save(&path).expect("a model can be saved");
        fs::read(path).expect("it was saved")[..12].to_vec()
    });
    let length = (payload.len() as u64).to_le_bytes();
    let checksum = Sha256::digest(payload);
    file_with("model", &[&START[..], &length, &checksum, payload].concat())
}

/// Reads a model file, and whatever can be read is written and read again.
pub fn read_model(path: &Path) {
    let Ok(contents) = file::read(path) else { return };
    let layers = || Sequential::new().then(Dense::new(4)).then(Relu).then(Dense::new(2));
    if let Ok(model) = Model::<f32>::load_into(path, layers()) {
        assert_eq!(model.parameters().len(), model.plan().size());
    }
    let copy = directory().join("copy");
    file::write(&copy, &contents).expect("what was read can be written");
    // As texts, since a sum of losses may be NaN.
    let again = file::read(&copy).expect("what was written can be read");
    assert_eq!(format!("{again:?}"), format!("{contents:?}"));
}

/// A small training with callbacks that have a state, the log of which is in the directory of the targets.
pub fn trainer(log: &str) -> Trainer<f32, u8> {
    Trainer::new(model(), CrossEntropy::default(), adam(0.01))
        .batch_size(1)
        .threads(1)
        .callback(EarlyStopping::new(1).restore_best())
        .callback(CsvLog::new(directory().join(log)))
}

/// Two samples for [`trainer`].
pub fn data() -> Rows<f32, u8> {
    Rows::new(array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], vec![0u8, 1])
        .expect("there is a class for each sample")
}

/// Resumes a training from a checkpoint, goes on with it, and saves it again.
pub fn resume_training(path: &Path) {
    let Ok(mut trainer) = trainer("log.csv").resume(path) else { return };
    // An error says what is wrong.
    let _ = trainer.fit(&data(), 1);
    let copy = directory().join("copy");
    trainer.save(&copy).expect("a training can be saved");
    file::read(&copy).expect("what was written can be read");
}

/// A small model, as the targets read it.
pub fn model() -> Model<f32> {
    let layers = Sequential::new().then(Dense::new(4)).then(Relu).then(Dense::new(2));
    Model::new([3], layers, Seed(1)).expect("the layers fit each other")
}
