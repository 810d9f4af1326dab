//! Configurations for data sets in the files of MNIST or of CIFAR.

use std::path::Path;

use chainrule::data::{Dataset, Images};

use super::network;
use super::text::{Suggestion, name_of, quoted_path};

/// Of images for the training and for the test, which this key of a configuration reads.
pub(super) fn text(key: &str, (train, test): (Images, Images), path: &Path, written: &Path) -> String {
    let classes = train.classes();
    let shape = train.image_shape();
    let [.., height, width] = *shape else { unreachable!("an image has a height and a width") };
    let batch_size = network::batch_size(train.len());
    let epochs = network::epochs(train.len(), batch_size, 5);
    // One channel is not an axis of its own in IDX files.
    let mut layers = Vec::new();
    if shape.len() == 2 {
        layers.push(format!("reshape([1, {height}, {width}])"));
    }
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
            format!("{key} = {}", quoted_path(written)),
            "validation = 0.1       # a share of the training images; the test set is in files of its own"
                .to_owned(),
            "split = \"stratified\"   # or \"random\"".to_owned(),
            "seed = 0               # of the split".to_owned(),
        ],
        preparation: Vec::new(),
        layers,
        patience: network::patience(epochs),
    };
    suggestion.text()
}
