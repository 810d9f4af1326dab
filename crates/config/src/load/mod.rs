//! From a configuration to data in memory.

mod array_samples;
mod arrays;
mod divide;
mod image_files;
mod likely_wrong;
mod pictures;
mod samples;
mod series;
mod several;
mod table;

use std::sync::Arc;
use std::time::Instant;

use chainrule::core::Registry;
use chainrule::data::{Images, Samples};
use chainrule::tables::{Preparation, Table};
use chainrule::tensor::{ClassTarget, Shape};

pub(crate) use arrays::{evaluated_classes, evaluated_values, samples as array_samples};
pub(crate) use pictures::labelled;
pub(crate) use samples::selected;
pub(crate) use series::{of_file, steps_of_file};
pub(crate) use several::outputs_of;
pub(crate) use table::{check_columns, classes_of, identifiers, values_of};

use crate::configuration::Configuration;
use crate::data_section::DataSource;
use crate::error::ConfigError;
use crate::targets::PredictedTargets;

/// A data set of any kind, with targets `Y`.
pub type SharedSamples<Y> = Arc<dyn Samples<f32, Target = Y> + Send>;

/// The data of a training, in memory.
#[non_exhaustive]
pub struct LoadedData {
    /// The samples with their targets.
    pub samples: LoadedSamples,
    /// What has been learnt about the columns of a table.
    pub preparation: Option<Preparation>,
    /// What the model is to predict.
    pub predicts: PredictedTargets,
    /// What is worth a look.
    pub notes: Vec<String>,
    /// The rows of a table that are the samples of the last part that there is, of training, validation and test, in their order.
    pub rows: Option<Arc<Table>>,
}

/// Samples with targets of one of two types, which are those that the registry has losses for.
pub enum LoadedSamples {
    /// With a class each.
    Classes(DataParts<ClassTarget<f32>>),
    /// With one or several numbers each.
    Values(DataParts<Vec<f32>>),
}

/// Samples for training, validation and test.
pub struct DataParts<Y> {
    /// What the model is trained on.
    pub train: SharedSamples<Y>,
    /// What it is validated on after each epoch.
    pub validation: Option<SharedSamples<Y>>,
    /// What it is tested on in the end.
    pub test: Option<SharedSamples<Y>>,
    /// How much each sample of the training counts in its loss; all alike without them.
    pub weights: Option<Arc<[f32]>>,
}

impl LoadedData {
    /// The shape of a sample.
    pub fn shape(&self) -> Shape {
        match &self.samples {
            LoadedSamples::Classes(parts) => parts.train.shape(),
            LoadedSamples::Values(parts) => parts.train.shape(),
        }
    }

    /// The numbers of samples for training, validation and test.
    pub fn counts(&self) -> [usize; 3] {
        match &self.samples {
            LoadedSamples::Classes(parts) => parts.counts(),
            LoadedSamples::Values(parts) => parts.counts(),
        }
    }
}

impl<Y> Clone for DataParts<Y> {
    fn clone(&self) -> Self {
        let Self { train, validation, test, weights } = self;
        let train = Arc::clone(train);
        Self { train, validation: validation.clone(), test: test.clone(), weights: weights.clone() }
    }
}

impl<Y: Clone + Send + Sync> DataParts<Y> {
    fn counts(&self) -> [usize; 3] {
        let count = |part: &Option<SharedSamples<Y>>| part.as_ref().map_or(0, |part| part.len());
        [self.train.len(), count(&self.validation), count(&self.test)]
    }
}

impl Configuration {
    /// Reads the data, divides them, and makes matrices of those of a table by what is learnt from the training part.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if they cannot be read, or are not as the configuration says.
    pub fn load_data(&self, registry: &Registry) -> Result<LoadedData, ConfigError> {
        let begin = Instant::now();
        let mut data = match &self.data.source {
            DataSource::Table(section) => table::load(self, section, registry),
            DataSource::Pictures(section) => pictures::load(self, section),
            DataSource::Idx(path) => image_files::load(self, Images::idx(path)?, "IDX files"),
            DataSource::Cifar(path) => image_files::load(self, Images::cifar(path)?, "files of CIFAR"),
            DataSource::Arrays(section) => arrays::load(self, section),
        }?;
        let notes = likely_wrong::notes(self, &data);
        data.notes.extend(notes);
        let [train, validation, test] = data.counts();
        let seconds = begin.elapsed().as_secs_f64();
        tracing::info!(train, validation, test, shape = %data.shape(), seconds, "the data are read and prepared");
        Ok(data)
    }
}
