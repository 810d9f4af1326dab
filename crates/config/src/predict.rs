//! Predictions for files.

use std::path::Path;
use std::sync::Arc;

use chainrule::core::Registry;
use chainrule::data::{ClassTargets, Images, Samples, idx};
use chainrule::tensor::{ClassTarget, Outputs, Shape};
use ndarray::{Array2, s};

use crate::data_section::{DataSource, PictureSection, TableSection};
use crate::error::ConfigError;
use crate::evaluation::{Evaluated, Evaluation};
use crate::load::{
    SharedSamples, array_samples, check_columns, classes_of, evaluated_classes, evaluated_values,
    identifiers, labelled, of_file, outputs_of, steps_of_file, values_of,
};
use crate::predictions::{OutputPredictions, PredictionKind, Predictions, RowNames};
use crate::saved::{ConfiguredModel, colour_of};
use crate::several_outputs::OutputColumns;
use crate::targets::{LearntTarget, PredictedOutput};

/// How many samples are predicted at a time.
const ROWS: usize = 256;

impl ConfiguredModel {
    /// Predicts for a file: a table with the columns of the training, whose targets it needs not have; a picture, or a directory of
    /// pictures, or one with folders of them; a file of IDX images or of CIFAR, or a directory with the test images.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it cannot be read, or has not the form of the training's data.
    pub fn predict(&self, path: impl AsRef<Path>, registry: &Registry) -> Result<Predictions, ConfigError> {
        let path = path.as_ref();
        let (outputs, rows) = match &self.configuration.data.source {
            DataSource::Table(section) if let Some(size) = &section.series => {
                (self.after_the_end(path, section, size.value.steps)?, RowNames::numbered(1))
            }
            DataSource::Table(section) => {
                let preparation = self.preparation()?;
                let table = section.options.tell(preparation.reader(path)).read()?;
                check_columns(&table, preparation, false)?;
                let features = preparation.features::<f32>(&table)?;
                let (found, expected) = (features.ncols(), self.model.input().size());
                if found != expected {
                    let problem =
                        format!("its preparation makes {found} features, but its layers take {expected}");
                    return Err(ConfigError::NotConfigured { path: self.path.clone(), problem });
                }
                let outputs = self.outputs_of(features.nrows(), |first, mut x| {
                    let rows = first..first + x.nrows();
                    x.assign(&features.slice(s![rows, ..]));
                })?;
                (outputs, RowNames::of_table(table.rows(), identifiers(&table, preparation)))
            }
            DataSource::Pictures(section) => {
                let reader = self.pictures_like(section)?.reader(path);
                let folders = path.is_dir() && has_folders(path)?;
                let pictures = if folders { reader.read()? } else { reader.read_unlabelled()? };
                let names = pictures.files().iter().map(|file| file.display().to_string()).collect();
                (self.outputs_of_samples(&pictures)?, RowNames::of_files(names))
            }
            DataSource::Arrays(section) => {
                let samples = array_samples(section, path)?;
                self.check_sample_shape(path, samples.shape)?;
                let outputs = self.outputs_of(samples.count(), |first, mut x| {
                    for (index, row) in x.rows_mut().into_iter().enumerate() {
                        let row = row.into_slice().expect("the rows of a batch are contiguous");
                        samples.read(first + index, 0..row.len(), row);
                    }
                })?;
                if let Some(problem) = samples.failure() {
                    return Err(ConfigError::Data { path: path.to_owned(), problem });
                }
                let rows = RowNames::numbered(outputs.nrows());
                (outputs, rows)
            }
            source @ (DataSource::Idx(_) | DataSource::Cifar(_)) => {
                let is_bare = matches!(source, DataSource::Idx(_)) && !path.is_dir();
                let images = if is_bare { unlabelled_images(path)? } else { self.test_images(path)? };
                self.check_shape(path, &images)?;
                (self.outputs_of_samples(&images)?, RowNames::numbered(images.count()))
            }
        };
        Ok(Predictions::new(rows, self.by_output(outputs, registry)?))
    }

    /// What the outputs of the model say of each target.
    fn by_output(
        &self,
        outputs: Array2<f32>,
        registry: &Registry,
    ) -> Result<Vec<OutputPredictions>, ConfigError> {
        let Self { configuration, model, predicts, .. } = self;
        if predicts.outputs.is_empty() {
            let takes = configuration.takes(registry)?;
            let (names, classes) = (&predicts.names, predicts.classes.as_deref());
            return Ok(vec![OutputPredictions::new(self.kind(takes), names, classes, takes, outputs)]);
        }
        let columns = configuration.output_columns(registry, model.input(), predicts)?;
        if columns.last().is_none_or(|last| last.columns.end != outputs.ncols()) {
            let problem = "its outputs are not those of its configuration".to_owned();
            return Err(ConfigError::NotConfigured { path: self.path.clone(), problem });
        }
        let of_output = |(predicted, own): (&PredictedOutput, OutputColumns)| {
            let OutputColumns { columns, takes } = own;
            let kind = match (&predicted.classes, takes) {
                (Some(_), Outputs::Values) => PredictionKind::Classes,
                (Some(_), _) => PredictionKind::Probabilities,
                (None, _) => PredictionKind::Numbers,
            };
            let names = std::slice::from_ref(&predicted.name);
            let own = outputs.slice(s![.., columns]).to_owned();
            OutputPredictions::new(kind, names, predicted.classes.as_deref(), takes, own)
        };
        Ok(predicts.outputs.iter().zip(columns).map(of_output).collect())
    }

    /// How it does on data with targets: a table, a directory with a folder of pictures for each class, or one with the test images and
    /// labels.
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict), and if a target is missing or unknown.
    pub fn evaluate(
        &self,
        path: impl AsRef<Path>,
        registry: &Registry,
        threads: usize,
    ) -> Result<Evaluated, ConfigError> {
        let path = path.as_ref();
        match &self.configuration.data.source {
            DataSource::Table(section) if let Some(size) = &section.series => {
                let targets: Vec<String> =
                    section.targets.iter().map(|target| target.value.clone()).collect();
                let preparation = self.preparation()?;
                let windows = of_file(&self.configuration, section, preparation, &targets, size.value, path)?;
                self.scores(&(Arc::new(windows) as SharedSamples<Vec<f32>>), registry, threads)
            }
            DataSource::Table(section) => {
                let preparation = self.preparation()?;
                let table = section.options.tell(preparation.reader(path)).read()?;
                check_columns(&table, preparation, true)?;
                match &self.predicts.classes {
                    Some(classes) => {
                        self.scores(&classes_of(&table, preparation, classes.len())?, registry, threads)
                    }
                    None if self.predicts.outputs.is_empty() => {
                        self.scores(&values_of(&table, preparation)?, registry, threads)
                    }
                    None => {
                        let outputs = &self.predicts.outputs;
                        self.scores(&outputs_of(&table, preparation, outputs)?, registry, threads)
                    }
                }
            }
            DataSource::Pictures(section) => {
                let pictures = self.pictures_like(section)?.reader(path).read()?;
                let names = self.predicts.classes.as_deref().unwrap_or_default();
                self.scores(&labelled(path, pictures, names)?, registry, threads)
            }
            DataSource::Arrays(section) => match &self.predicts.classes {
                Some(classes) => {
                    let samples = evaluated_classes(section, path, classes.len())?;
                    self.check_sample_shape(path, samples.shape())?;
                    self.scores(&samples, registry, threads)
                }
                None => {
                    let samples = evaluated_values(section, path)?;
                    self.check_sample_shape(path, samples.shape())?;
                    self.scores(&samples, registry, threads)
                }
            },
            DataSource::Idx(_) | DataSource::Cifar(_) => {
                let classes = self.predicts.classes.as_ref().map_or(0, Vec::len);
                let images = self.test_images(path)?;
                self.check_shape(path, &images)?;
                let samples = Arc::new(ClassTargets::with_classes(images, classes));
                self.scores::<ClassTarget<f32>>(&(samples as SharedSamples<_>), registry, threads)
            }
        }
    }

    /// The images to test with, with their classes.
    fn test_images(&self, path: &Path) -> Result<Images, ConfigError> {
        let classes = self.predicts.classes.as_ref().map_or(0, Vec::len);
        Ok(match self.configuration.data.source {
            DataSource::Cifar(_) => Images::cifar_test(path, classes)?,
            _ => Images::idx_test(path, classes)?,
        })
    }

    /// What follows the last row of a series.
    fn after_the_end(
        &self,
        path: &Path,
        section: &TableSection,
        steps: usize,
    ) -> Result<Array2<f32>, ConfigError> {
        let table = steps_of_file(&self.configuration, section, self.preparation()?, path)?;
        let features = self.preparation()?.features::<f32>(&table)?;
        let Some(first) = table.rows().checked_sub(steps) else {
            let problem =
                format!("it has {} rows, but the model looks at {steps}: give more of them", table.rows());
            return Err(ConfigError::Data { path: path.to_owned(), problem });
        };
        let window = features.slice(s![first.., ..]);
        if window.len() != self.model.input().size() {
            let (found, input) = (features.ncols(), self.model.input());
            let problem =
                format!("its preparation makes {found} features, but its samples have the shape {input}");
            return Err(ConfigError::NotConfigured { path: self.path.clone(), problem });
        }
        self.outputs_of(1, |_, mut x| x.iter_mut().zip(&window).for_each(|(x, &value)| *x = value))
    }

    fn scores<Y: LearntTarget>(
        &self,
        samples: &SharedSamples<Y>,
        registry: &Registry,
        threads: usize,
    ) -> Result<Evaluated, ConfigError> {
        let (configuration, model) = (&self.configuration, self.model.clone());
        Evaluation::<Y>::of_configuration(configuration, registry, model, &self.predicts, threads)?
            .of(samples)
    }

    fn preparation(&self) -> Result<&chainrule::tables::Preparation, ConfigError> {
        self.preparation.as_ref().ok_or_else(|| ConfigError::NotConfigured {
            path: self.path.clone(),
            problem: "it does not say how the columns of a table become numbers".into(),
        })
    }

    /// How pictures are read as those of the training.
    fn pictures_like(&self, section: &PictureSection) -> Result<PictureSection, ConfigError> {
        let input = self.model.input();
        let no_pictures = || {
            let problem = format!("its samples have the shape {input}, which no pictures have");
            ConfigError::NotConfigured { path: self.path.clone(), problem }
        };
        let [channels, height, width] = <[usize; 3]>::try_from(&input[..]).map_err(|_| no_pictures())?;
        let colour = Some(colour_of(channels).ok_or_else(no_pictures)?);
        Ok(PictureSection { size: Some([height, width]), colour, ..section.clone() })
    }

    fn check_shape(&self, path: &Path, images: &Images) -> Result<(), ConfigError> {
        self.check_sample_shape(path, images.image_shape())
    }

    fn check_sample_shape(&self, path: &Path, found: Shape) -> Result<(), ConfigError> {
        let expected = self.model.input();
        if found == expected {
            return Ok(());
        }
        let problem = format!("the samples have the shape {found}, but the model was trained on {expected}");
        Err(ConfigError::Data { path: path.to_owned(), problem })
    }

    fn outputs_of_samples<D: Samples<f32>>(&self, samples: &D) -> Result<Array2<f32>, ConfigError> {
        self.outputs_of(samples.len(), |first, mut x| {
            for (index, mut row) in x.rows_mut().into_iter().enumerate() {
                if let Some(row) = row.as_slice_mut() {
                    samples.read(first + index, row);
                }
            }
        })
    }

    /// The outputs for so many samples, which `read` writes from the first one that it is given.
    fn outputs_of(
        &self,
        samples: usize,
        read: impl Fn(usize, ndarray::ArrayViewMut2<'_, f32>),
    ) -> Result<Array2<f32>, ConfigError> {
        let (inputs, columns) = (self.model.input().size(), self.model.output().size());
        let mut outputs = Array2::zeros((samples, columns));
        let mut predictor = self.model.predictor();
        for first in (0..samples).step_by(ROWS) {
            let rows = ROWS.min(samples - first);
            let mut x = Array2::zeros((rows, inputs));
            read(first, x.view_mut());
            predictor.reset();
            outputs.slice_mut(s![first..first + rows, ..]).assign(&predictor.predict(x.view())?);
        }
        Ok(outputs)
    }

    fn kind(&self, takes: Outputs) -> PredictionKind {
        match (&self.predicts.classes, takes) {
            (Some(_), Outputs::Values) => PredictionKind::Classes,
            (Some(_), _) => PredictionKind::Probabilities,
            (None, _) if self.predicts.labels => PredictionKind::Labels,
            (None, _) => PredictionKind::Numbers,
        }
    }
}

/// Whether a directory has folders that are not hidden.
fn has_folders(path: &Path) -> Result<bool, ConfigError> {
    let io = |source| ConfigError::Io { path: path.to_owned(), doing: "read", source };
    for entry in std::fs::read_dir(path).map_err(io)? {
        let entry = entry.map_err(io)?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.path().is_dir() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The images of a file, whatever they show.
fn unlabelled_images(path: &Path) -> Result<Images, ConfigError> {
    let wrong = |problem: String| ConfigError::Data { path: path.to_owned(), problem };
    let images = idx::read(path)?;
    let [count, height, width] = images.axes[..] else {
        return Err(wrong(format!(
            "it has {} axes, but images have three: give the file of images",
            images.axes.len()
        )));
    };
    Images::new([height, width], images.values, vec![0; count], 1).map_err(|error| wrong(error.to_string()))
}
