//! Data sets in the files of MNIST or of CIFAR, which have a test set.

use std::sync::Arc;

use chainrule::data::{Dataset, Images};

use super::divide::{SplitKeys, divide};
use super::{DataParts, LoadedData, LoadedSamples, selected};
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::split_section::{HeldOut, SplitMethod};
use crate::targets::PredictedTargets;

/// The parts of images for the training and for the test, whose files are called so in errors.
pub(super) fn load(
    configuration: &Configuration,
    (train, test): (Images, Images),
    files: &str,
) -> Result<LoadedData, ConfigError> {
    let split = &configuration.data.split;
    let refuse = |problem: String| Err(ConfigError::Contradiction { at: split.method.at.clone(), problem });
    if matches!(split.validation, HeldOut::Files(_)) {
        return refuse(format!("`validation` of {files} is a share of the training images, such as 0.1"));
    }
    let keys = match split.method.value {
        SplitMethod::Stratified => {
            SplitKeys::Labels(train.labels().iter().map(|&label| label.into()).collect())
        }
        SplitMethod::Random => SplitKeys::Nothing,
        _ => {
            return refuse(format!(
                "{files} have no columns to divide by: choose \"random\" or \"stratified\""
            ));
        }
    };
    let is_same = |index| train.pixels(index) == test.pixels(index);
    let are_same = train.count() == test.count() && (0..train.count()).all(is_same);
    let note = || format!("the {files} of the training and of the test are the same images");
    let notes = are_same.then(note).into_iter().collect();
    let divided = divide(train.len(), &keys, split)?;
    let classes = train.classes();
    let (train, test) = (Arc::new(train), Arc::new(test));
    let all = (0..test.len()).collect();
    let select = |data: &Arc<Images>, indices| selected(data, indices, classes);
    let validation = Some(divided.validation).filter(|indices| !indices.is_empty());
    Ok(LoadedData {
        samples: LoadedSamples::Classes(DataParts {
            validation: validation.map(|indices| select(&train, indices)),
            train: select(&train, divided.train),
            test: Some(select(&test, all)),
            weights: None,
        }),
        preparation: None,
        predicts: PredictedTargets::classes("class", (0..classes).map(|class| class.to_string()).collect()),
        notes,
        rows: None,
    })
}
