//! Configurations for data sets in the files of MNIST.

use std::path::Path;

use chainrule::data::{Dataset, Images};

use super::network;
use super::text::{Suggestion, name_of, quoted_path};
use crate::error::ConfigError;

pub(super) fn text(path: &Path, written: &Path) -> Result<String, ConfigError> {
    let (train, test) = Images::idx(path)?;
    let classes = train.classes();
    let shape = train.image_shape();
    let [height, width] = [shape[0], shape[1]];
    let batch_size = network::batch_size(train.len());
    let epochs = network::epochs(train.len(), batch_size, 5);
    let mut layers = vec![format!("reshape([1, {height}, {width}])")];
    layers.extend(network::convolutional([height, width], network::outputs(classes)));
    let suggestion = Suggestion {
        about: vec![format!(
            "{}: {} images of {height} by {width} pixels in {classes} classes for training, {} for the test.",
            name_of(path),
            train.len(),
            test.len()
        )],
        epochs,
        batch_size,
        loss: Some(network::class_loss(classes)),
        outputs: Vec::new(),
        data: vec![
            format!("idx = {}", quoted_path(written)),
            "validation = 0.1       # a share of the training images; the test set is in files of its own"
                .to_owned(),
            "split = \"stratified\"   # or \"random\"".to_owned(),
            "seed = 0               # of the split".to_owned(),
        ],
        preparation: Vec::new(),
        layers,
        patience: network::patience(epochs),
    };
    Ok(suggestion.text())
}
