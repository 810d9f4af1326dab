//! Folders of pictures.

use std::path::Path;
use std::sync::Arc;

use chainrule::data::{ClassTargets, Dataset};
use chainrule::pictures::{PictureReader, Pictures};
use chainrule::tensor::ClassTarget;

use super::divide::{SplitKeys, divide};
use super::{DataParts, LoadedData, LoadedSamples, SharedSamples, selected};
use crate::configuration::Configuration;
use crate::data_section::PictureSection;
use crate::error::ConfigError;
use crate::split_section::{HeldOut, SplitMethod};
use crate::targets::{MAX_CLASSES, PredictedTargets};

impl PictureSection {
    /// A reader of pictures like these.
    pub(crate) fn reader(&self, path: &Path) -> PictureReader {
        let mut reader = PictureReader::new(path);
        if let Some([height, width]) = self.size {
            reader = reader.size(height, width);
        }
        if let Some(colour) = self.colour {
            reader = reader.colour(colour);
        }
        match self.resize {
            Some(resize) => reader.resize(resize),
            None => reader,
        }
    }
}

pub(super) fn load(
    configuration: &Configuration,
    section: &PictureSection,
) -> Result<LoadedData, ConfigError> {
    let split = &configuration.data.split;
    let pictures = section.reader(&section.path).read()?;
    let names = pictures.class_names().to_vec();
    if names.len() > MAX_CLASSES {
        let problem = format!(
            "{} has {} classes, but a training takes up to {MAX_CLASSES}: use fewer folders",
            section.path.display(),
            names.len()
        );
        return Err(ConfigError::Contradiction { at: configuration.data.at.clone(), problem });
    }
    let keys = match split.method.value {
        SplitMethod::Stratified => {
            SplitKeys::Labels(pictures.labels().iter().map(|&label| label.into()).collect())
        }
        SplitMethod::Random => SplitKeys::Nothing,
        _ => {
            let problem =
                "pictures have no columns to divide by: choose \"random\" or \"stratified\"".to_owned();
            return Err(ConfigError::Contradiction { at: split.method.at.clone(), problem });
        }
    };
    let shape = pictures.shape();
    let divided = divide(pictures.len(), &keys, split)?;
    let other = |part: &HeldOut, indices: Vec<usize>, data: &Arc<Pictures>| -> Result<_, ConfigError> {
        let HeldOut::Files(path) = part else {
            return Ok((!indices.is_empty()).then(|| selected(data, indices, names.len())));
        };
        // Of the size and the channels of the others.
        let [channels, height, width] = [0, 1, 2].map(|axis| shape[axis]);
        let sized = PictureSection { size: section.size.or(Some([height, width])), ..section.clone() };
        let colour = sized.colour.or(crate::saved::colour_of(channels));
        let other = PictureSection { colour, ..sized }.reader(path).read()?;
        labelled(path, other, &names).map(Some)
    };
    let pictures = Arc::new(pictures);
    let validation = other(&split.validation, divided.validation, &pictures)?;
    let test = other(&split.test, divided.test, &pictures)?;
    Ok(LoadedData {
        samples: LoadedSamples::Classes(DataParts {
            train: selected(&pictures, divided.train, names.len()),
            validation,
            test,
            weights: None,
        }),
        preparation: None,
        predicts: PredictedTargets::classes("class", names),
        notes: Vec::new(),
        rows: None,
    })
}

/// Pictures of a directory of its own, whose folders are among these classes.
pub(crate) fn labelled(
    path: &Path,
    pictures: Pictures,
    names: &[String],
) -> Result<SharedSamples<ClassTarget<f32>>, ConfigError> {
    let class = |folder: &String| {
        let found = names.iter().position(|name| name == folder);
        found.map(|class| class as u32).ok_or_else(|| ConfigError::Data {
            path: path.join(folder),
            problem: format!("the model has no class of this name, only {}", names.join(", ")),
        })
    };
    let classes = pictures.class_names().iter().map(class).collect::<Result<Vec<u32>, _>>()?;
    let samples = ClassTargets::with_classes(pictures, classes.len()).renamed(classes, names.len());
    Ok(Arc::new(samples.expect("there is a class for each folder")))
}
