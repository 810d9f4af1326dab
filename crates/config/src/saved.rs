//! Models with what they were trained with.

use std::path::{Path, PathBuf};

use chainrule::core::Registry;
use chainrule::pictures::Colour;
use chainrule::tables::Preparation;
use chainrule::train::{Model, file};

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::load::LoadedData;
use crate::targets::PredictedTargets;

// The names of the notes of a model.
const CONFIGURATION: &str = "configuration";
const CHANGES: &str = "changes";
const PREDICTS: &str = "predicts";
const PREPARATION: &str = "preparation";

/// A model with what it was trained with, which is noted in its file: configuration, preparation and targets.
#[derive(Debug)]
#[non_exhaustive]
pub struct ConfiguredModel {
    /// The model.
    pub model: Model<f32>,
    /// The configuration of its training. Its paths are as they were written.
    pub configuration: Configuration,
    /// What was learnt about the columns of its table.
    pub preparation: Option<Preparation>,
    /// What it predicts.
    pub predicts: PredictedTargets,
    /// The file that it is from.
    pub path: PathBuf,
}

/// Notes in a model what it is trained with.
pub fn noted(model: Model<f32>, configuration: &Configuration, data: &LoadedData) -> Model<f32> {
    let model = model
        .note(CONFIGURATION, &configuration.text)
        .note(CHANGES, configuration.changes.join("\n"))
        .note(PREDICTS, chainrule::core::Described::describe(&data.predicts).to_string());
    match &data.preparation {
        Some(preparation) => model.note(PREPARATION, preparation.to_string()),
        None => model,
    }
}

/// The configuration that a file was made with, a model or a checkpoint, with more changes; its paths are relative to the directory of the
/// process.
///
/// # Errors
///
/// [`ConfigError`] if it cannot be read, or was made without a configuration.
pub fn configuration_of<C: AsRef<str>>(
    path: &Path,
    changes: &[C],
    registry: &Registry,
) -> Result<Configuration, ConfigError> {
    let contents = file::newest(path)?.contents;
    let notes = contents.notes.unwrap_or_default();
    let noted = |name: &str| notes.iter().find(|(known, _)| known == name).map(|(_, text)| &**text);
    let own: Vec<&str> = noted(CHANGES).unwrap_or_default().lines().collect();
    let changes: Vec<&str> = own.into_iter().chain(changes.iter().map(AsRef::as_ref)).collect();
    read_configuration(path, noted(CONFIGURATION), &changes, registry)
}

fn read_configuration(
    path: &Path,
    text: Option<&str>,
    changes: &[&str],
    registry: &Registry,
) -> Result<Configuration, ConfigError> {
    let text = text.ok_or_else(|| ConfigError::NotConfigured {
        path: path.to_owned(),
        problem: "it says nothing of the data that it was trained on".into(),
    })?;
    let name = format!("the configuration in {}", path.display());
    Configuration::from_text(&name, text, changes, registry)
}

impl ConfiguredModel {
    /// Reads a file that was saved with [`noted`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it cannot be read, or lacks what a prediction needs.
    pub fn load(path: impl AsRef<Path>, registry: &Registry) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let model = Model::<f32>::load_with(path, registry)?;
        let changes: Vec<&str> = model.noted(CHANGES).unwrap_or_default().lines().collect();
        let configuration = read_configuration(path, model.noted(CONFIGURATION), &changes, registry)?;
        let lacks = |problem: String| ConfigError::NotConfigured { path: path.to_owned(), problem };
        let predicts =
            model.noted(PREDICTS).ok_or_else(|| lacks("it does not say what it predicts".into()))?;
        let predicts = PredictedTargets::from_text(predicts).map_err(|error| lacks(error.to_string()))?;
        let preparation = model.noted(PREPARATION).map(Preparation::from_text).transpose()?;
        let columns = model.output().size();
        let outputs = configuration.outputs.iter().map(|output| &output.name.value);
        if !outputs.eq(predicts.outputs.iter().map(|output| &output.name)) {
            return Err(lacks("it predicts other outputs than its configuration has".into()));
        }
        if !predicts.fit(columns) {
            return Err(lacks(format!("it has {columns} outputs, but predicts {}", predicts.words())));
        }
        tracing::info!(path = %path.display(), parameters = model.parameters().len(), input = %model.input(), "the model is loaded");
        let path = path.to_owned();
        Ok(Self { model, configuration, preparation, predicts, path })
    }
}

/// The colour of pictures with so many channels.
pub(crate) fn colour_of(channels: usize) -> Option<Colour> {
    [Colour::Grey, Colour::Rgb, Colour::Rgba].into_iter().find(|colour| colour.channels() == channels)
}
