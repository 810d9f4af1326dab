//! A training from a configuration, from its data to a model that can be saved.

use std::sync::Arc;
use std::time::Duration;

use chainrule::core::Registry;
use chainrule::data::ReadAhead;
use chainrule::train::{Fit, History, Model, RateCurve, RateFinder, Trainer};

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::evaluation::{Evaluated, Evaluation};
use crate::in_units::in_units;
use crate::load::{DataParts, SharedSamples};
use crate::targets::{LearntTarget, PredictedTargets};

/// A training from a configuration, with targets `Y`.
///
/// ```no_run
/// use chainrule_config::{Configuration, LoadedSamples, TrainingJob};
///
/// let registry = chainrule::registry();
/// let configuration = Configuration::read("flats.toml", &["epochs=30"], &registry)?;
/// let data = configuration.load_data(&registry)?;
/// let model = configuration.model(&registry, data.shape())?;
/// let LoadedSamples::Values(parts) = data.samples else { panic!("rents are numbers") };
/// let mut job = TrainingJob::new(&configuration, &registry, model, data.predicts, parts)?;
/// job.fit()?;
/// let trained = job.finish()?;
/// println!("{}", trained.train.scores);
/// # Ok::<(), chainrule_config::ConfigError>(())
/// ```
pub struct TrainingJob<'c, Y: LearntTarget> {
    configuration: &'c Configuration,
    registry: &'c Registry,
    trainer: Trainer<f32, Y>,
    predicts: PredictedTargets,
    parts: DataParts<Y>,
    /// Changed at random, and with targets as they are learnt.
    train: SharedSamples<Y>,
    validation: Option<SharedSamples<Y>>,
    threads: usize,
}

/// A model that has been trained, and how it does, in the units of the data.
#[derive(Debug)]
#[non_exhaustive]
pub struct TrainedModel {
    /// The model.
    pub model: Model<f32>,
    /// On the samples of the training.
    pub train: Evaluated,
    /// On those of the validation.
    pub validation: Option<Evaluated>,
    /// On those of the test.
    pub test: Option<Evaluated>,
}

impl<'c, Y: LearntTarget> TrainingJob<'c, Y> {
    /// The training of this model.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Contradiction`] if the model, the loss and the targets do not fit each other.
    pub fn new(
        configuration: &'c Configuration,
        registry: &'c Registry,
        model: Model<f32>,
        predicts: PredictedTargets,
        parts: DataParts<Y>,
    ) -> Result<Self, ConfigError> {
        let mut trainer = configuration.trainer(registry, model, &predicts, &parts)?;
        // Without a validation there is nothing by which to stop.
        if let (Some(stopping), Some(_)) = (&configuration.early_stopping, &parts.validation) {
            trainer = trainer.callback(stopping.callback());
        }
        let train = configuration.for_training(registry, &parts, &predicts)?;
        let validation = parts.validation.clone().map(|samples| Y::scaled(samples, &predicts.scales));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self { configuration, registry, trainer, predicts, parts, train, validation, threads })
    }

    /// Changes the trainer, for example by callbacks.
    ///
    /// # Errors
    ///
    /// Those of the change.
    pub fn try_with<E>(
        self,
        change: impl FnOnce(Trainer<f32, Y>) -> Result<Trainer<f32, Y>, E>,
    ) -> Result<Self, E> {
        Ok(Self { trainer: change(self.trainer)?, ..self })
    }

    /// The maximum number of threads; one for each core by default. It is no part of the result.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { trainer: self.trainer.threads(threads), threads, ..self }
    }

    /// Where samples are changed at random, so many threads do it ahead of those that train: for cores that would be idle. It is no part of
    /// the result.
    #[must_use]
    pub fn read_ahead(mut self, threads: usize) -> Self {
        if threads > 0 && !self.configuration.augment.is_empty() {
            self.train = Arc::new(ReadAhead::new(self.train, threads));
        }
        self
    }

    /// The trainer.
    pub fn trainer(&mut self) -> &mut Trainer<f32, Y> {
        &mut self.trainer
    }

    /// The number of samples of the training.
    pub fn samples(&self) -> usize {
        self.train.len()
    }

    /// How long a step takes, measured for up to this time.
    ///
    /// # Errors
    ///
    /// As [`Trainer::measure_step`].
    pub fn measure_step(&mut self, time: Duration) -> Result<Duration, ConfigError> {
        Ok(self.trainer.measure_step(&*self.train, time)?)
    }

    /// Trains until all epochs are completed, or goes on after a resume.
    ///
    /// # Errors
    ///
    /// As [`Trainer::fit`].
    pub fn fit(&mut self) -> Result<History, ConfigError> {
        let fit = Fit::until(self.configuration.epochs);
        let fit = match &self.validation {
            Some(validation) => {
                fit.validation(&**validation).validate_every(self.configuration.validate_every)
            }
            None => fit,
        };
        Ok(self.trainer.fit(&*self.train, fit)?)
    }

    /// Instead of training, tries growing learning rates. The configuration has to have the [schedule](RateFinder::schedule) of the finder.
    ///
    /// # Errors
    ///
    /// As [`RateFinder::run`].
    pub fn find_rate(self, finder: RateFinder) -> Result<RateCurve, ConfigError> {
        Ok(finder.run(self.trainer, &*self.train)?)
    }

    /// The model, whose outputs are in the units of the data, with its scores on all parts.
    ///
    /// # Errors
    ///
    /// As [`Trainer::evaluate`].
    pub fn finish(self) -> Result<TrainedModel, ConfigError> {
        let Self { configuration, registry, mut trainer, predicts, parts, threads, .. } = self;
        // The validation was compared when it was evaluated.
        if let Some(test) = &parts.test {
            trainer.warn_if_seen(&**test);
        }
        let model = in_units(configuration, registry, trainer.evaluated_model(), &predicts)?;
        drop(trainer);
        let mut evaluation =
            Evaluation::of_configuration(configuration, registry, model, &predicts, threads)?;
        let DataParts { train, validation, test, .. } = parts;
        Ok(TrainedModel {
            train: evaluation.of(&train)?,
            validation: validation.map(|samples| evaluation.of(&samples)).transpose()?,
            test: test.map(|samples| evaluation.of(&samples)).transpose()?,
            model: evaluation.into_model(),
        })
    }
}
