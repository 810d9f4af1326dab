//! From a configuration to a model and a trainer.

use std::sync::Arc;

use chainrule::core::{AnyLayer, Description, DescriptionError, Kind, Registry, Sequential};
use chainrule::data::augment::AnyAugmentation;
use chainrule::losses::{Loss, Scope};
use chainrule::metrics::Measure;
use chainrule::optim::{Schedule, UpdateRule};
use chainrule::tables::transform::Transform;
use chainrule::tensor::{ClassTarget, Outputs, Seed, Shape, TargetError};
use chainrule::train::{Audit, Model, Trainer};

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::load::DataParts;
use crate::location::Located;
use crate::optimizer::{Rate, scheduled_optimizer};
use crate::targets::{LearntTarget, PredictedTargets};

/// What is built from a description at a key, or an error with its place.
pub(crate) fn build<K: Kind>(
    key: &str,
    described: &Located<Description>,
    registry: &Registry,
) -> Result<K, ConfigError> {
    registry.build(&described.value).map_err(|source| failed(key, described, source))
}

fn failed(key: &str, described: &Located<Description>, source: DescriptionError) -> ConfigError {
    ConfigError::Description { at: described.at.clone(), key: key.to_owned(), source: Box::new(source) }
}

impl Configuration {
    /// Whether everything that is named exists, and can have its settings.
    pub(crate) fn check_names(&self, registry: &Registry) -> Result<(), ConfigError> {
        for layer in &self.layers {
            build::<AnyLayer<f32>>("model.layers", layer, registry)?;
        }
        let loss = build::<Box<dyn Loss<f32, ClassTarget<f32>>>>("loss", &self.loss, registry)?;
        loss.validate().map_err(|error| failed("loss", &self.loss, error.into()))?;
        for metric in &self.metrics {
            let built = build::<Box<dyn Measure<f32, ClassTarget<f32>>>>("metrics", metric, registry)?;
            built.validate().map_err(|error| failed("metrics", metric, error.into()))?;
        }
        build::<Box<dyn UpdateRule<f32>>>("optimizer", &self.optimizer, registry)?;
        if let Some(schedule) = &self.schedule {
            build::<Arc<dyn Schedule>>("schedule", schedule, registry)?;
        }
        let optimizer = self.optimizer(registry)?;
        optimizer.validate().map_err(|error| failed("optimizer", &self.optimizer, error.into()))?;
        for augmentation in &self.augment {
            let built = build::<AnyAugmentation>("augment", augmentation, registry)?;
            built.check().map_err(|error| failed("augment", augmentation, error.into()))?;
        }
        for (key, transform) in self.preparation.transforms() {
            build::<Arc<dyn Transform>>(key, transform, registry)?;
        }
        Ok(())
    }

    /// The loss, for targets `Y`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the registry has none of its name.
    pub fn loss<Y: LearntTarget>(&self, registry: &Registry) -> Result<Box<dyn Loss<f32, Y>>, ConfigError> {
        build("loss", &self.loss, registry)
    }

    /// What the loss takes the outputs of the model for.
    pub(crate) fn outputs(&self, registry: &Registry) -> Result<Outputs, ConfigError> {
        Ok(self.loss::<ClassTarget<f32>>(registry)?.outputs())
    }

    /// The optimizer with its schedule.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it has no rate that a schedule could change.
    pub fn optimizer(&self, registry: &Registry) -> Result<Box<dyn UpdateRule<f32>>, ConfigError> {
        let Located { value, at } = &self.optimizer;
        let schedule = self.schedule.as_ref().map(|schedule| &schedule.value);
        let rate = Rate { rate: None, schedule, default: "constant", names: "`schedule`" };
        scheduled_optimizer(registry, value, rate)
            .map_err(|problem| ConfigError::Contradiction { at: at.clone(), problem })
    }

    /// The metrics, for targets `Y` that are scaled so.
    fn metrics<Y: LearntTarget>(
        &self,
        registry: &Registry,
        scales: &[[f64; 2]],
    ) -> Result<Vec<Box<dyn Measure<f32, Y>>>, ConfigError> {
        let metric = |described| Ok(Y::in_units(build("metrics", described, registry)?, scales));
        self.metrics.iter().map(metric).collect()
    }

    /// The layers one after the other, and perhaps one more.
    pub(crate) fn sequential(
        &self,
        registry: &Registry,
        last: Option<Description>,
    ) -> Result<Sequential<f32>, ConfigError> {
        let parts = self.layers.iter().flat_map(|layer| layer.value.parts()).chain(last);
        let description = Description::chain(parts);
        Sequential::from_description(&description, registry)
            .map_err(|source| failed("model.layers", &self.layers[0], source))
    }

    /// The model for samples of this shape, with its first weights.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Model`] if a layer does not accept its input.
    pub fn model(&self, registry: &Registry, input: Shape) -> Result<Model<f32>, ConfigError> {
        let layers = self.sequential(registry, None)?;
        Model::new(input, layers, Seed(self.seed)).map_err(|source| ConfigError::Model {
            at: self.layers[0].at.clone(),
            input: input.to_string(),
            source: Box::new(source),
        })
    }

    /// A trainer of this model for these data. Its scores are in the units of the data, but its loss is that of scaled targets where
    /// they are scaled.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Contradiction`] if the outputs of the model, the loss, and the targets do not fit each other.
    pub fn trainer<Y: LearntTarget>(
        &self,
        registry: &Registry,
        model: Model<f32>,
        predicts: &PredictedTargets,
        parts: &DataParts<Y>,
    ) -> Result<Trainer<f32, Y>, ConfigError> {
        let loss = self.loss::<Y>(registry)?;
        if !predicts.scales.is_empty() && loss.outputs() != Outputs::Values {
            let problem = format!(
                "{} takes the outputs for {}, which are not scaled: leave out `data.scale_targets`, or choose a loss of values",
                self.loss.value,
                loss.outputs()
            );
            return Err(ConfigError::Contradiction { at: self.loss.at.clone(), problem });
        }
        let columns = model.output().size();
        let mut row = vec![0.0; parts.train.shape().size()];
        // Classes that there may be, or the numbers of one sample, since all have the same number of them.
        let targets = match predicts.classes.as_ref().map_or(0, Vec::len) {
            0 => vec![parts.train.read(0, &mut row)],
            classes => Y::possible(classes, false),
        };
        let last = self.layers.last().unwrap_or(&self.layers[0]);
        let unlike = |why: String| {
            let problem = format!(
                "{} is the last layer, so the model has {columns} outputs, which do not fit {}{why}",
                last.value,
                predicts.words()
            );
            Err(ConfigError::Contradiction { at: last.at.clone(), problem })
        };
        if !predicts.fit(columns) {
            return unlike(String::new());
        }
        for target in targets {
            if let Err(error) = loss.check(columns, &[target]) {
                return unlike(format!(": {error}"));
            }
        }
        let loss = match &self.class_weights {
            Some(weights) if loss.scope() == Scope::Batch => {
                let problem = format!(
                    "{} compares the samples of a batch with each other, so that none counts for itself: leave out `class_weights`, or choose another loss",
                    self.loss.value
                );
                return Err(ConfigError::Contradiction { at: weights.at.clone(), problem });
            }
            Some(_) => Y::class_weighted(loss),
            None => loss,
        };
        if self.mixes(registry) {
            self.check_mixed(registry, &*loss, columns, predicts)?;
        }
        self.trainer_of(registry, model, loss, &predicts.scales)
    }

    /// Whether the loss and the metrics are defined for targets that are a share of each class.
    fn check_mixed<Y: LearntTarget>(
        &self,
        registry: &Registry,
        loss: &dyn Loss<f32, Y>,
        columns: usize,
        predicts: &PredictedTargets,
    ) -> Result<(), ConfigError> {
        let classes = predicts.classes.as_ref().map_or(0, Vec::len);
        let Some(target) = Y::possible(classes, true).pop() else { return Ok(()) };
        let unlike = |described: &Located<Description>, error: TargetError| {
            let problem = format!(
                "`augment` mixes samples, whose targets are a share of each class, and {} does not take those: {error}",
                described.value
            );
            ConfigError::Contradiction { at: described.at.clone(), problem }
        };
        let targets = [target];
        loss.check(columns, &targets).map_err(|error| unlike(&self.loss, error))?;
        for (described, metric) in self.metrics.iter().zip(self.metrics::<Y>(registry, &predicts.scales)?) {
            metric.check(columns, &targets).map_err(|error| unlike(described, error))?;
        }
        Ok(())
    }

    /// A trainer with the settings of this configuration.
    pub(crate) fn trainer_of<Y: LearntTarget>(
        &self,
        registry: &Registry,
        model: Model<f32>,
        loss: Box<dyn Loss<f32, Y>>,
        scales: &[[f64; 2]],
    ) -> Result<Trainer<f32, Y>, ConfigError> {
        let trainer = Y::trainer(model, loss, self.optimizer(registry)?)
            .batch_size(self.batch_size)
            .shards(self.shards)
            .portable(self.portable)
            .seed(Seed(self.seed));
        let trainer = if self.audit { trainer.audit(Audit::default()) } else { trainer };
        let metrics = self.metrics::<Y>(registry, scales)?;
        Ok(metrics.into_iter().fold(trainer, Trainer::metric))
    }
}
