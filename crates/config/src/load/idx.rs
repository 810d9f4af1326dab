//! Data sets in the files of MNIST.

use std::path::Path;
use std::sync::Arc;

use chainrule::data::{Dataset, Images};

use super::divide::{SplitKeys, divide};
use super::{DataParts, LoadedData, LoadedSamples, selected};
use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::split_section::{HeldOut, SplitMethod};
use crate::targets::PredictedTargets;

pub(super) fn load(configuration: &Configuration, path: &Path) -> Result<LoadedData, ConfigError> {
    let split = &configuration.data.split;
    let refuse = |problem: &str| {
        Err(ConfigError::Contradiction { at: split.method.at.clone(), problem: problem.to_owned() })
    };
    if matches!(split.validation, HeldOut::Files(_)) {
        return refuse("`validation` of IDX files is a share of the training images, such as 0.1");
    }
    let (train, test) = Images::idx(path)?;
    let keys = match split.method.value {
        SplitMethod::Stratified => {
            SplitKeys::Labels(train.labels().iter().map(|&label| label.into()).collect())
        }
        SplitMethod::Random => SplitKeys::Nothing,
        _ => return refuse("IDX files have no columns to divide by: choose \"random\" or \"stratified\""),
    };
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
        notes: Vec::new(),
        rows: None,
    })
}
