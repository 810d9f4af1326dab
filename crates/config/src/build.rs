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
use crate::row_weighted::RowWeighted;
use crate::several_outputs;
use crate::targets::{LearntTarget, PredictedTargets};

/// What is minimised, and what is reported besides.
#[doc(hidden)]
pub struct Objective<Y> {
    pub(crate) loss: Box<dyn Loss<f32, Y>>,
    pub(crate) metrics: Vec<NamedMeasure<Y>>,
}

/// A metric, with its name where that is not its own.
pub(crate) type NamedMeasure<Y> = (Option<String>, Box<dyn Measure<f32, Y>>);

/// What is built from a description at a key, or an error with its place.
pub(crate) fn build<K: Kind>(
    key: &str,
    described: &Located<Description>,
    registry: &Registry,
) -> Result<K, ConfigError> {
    registry.build(&described.value).map_err(|source| failed(key, described, source))
}

pub(crate) fn failed(key: &str, described: &Located<Description>, source: DescriptionError) -> ConfigError {
    ConfigError::Description { at: described.at.clone(), key: key.to_owned(), source: Box::new(source) }
}

fn check_loss(key: &str, loss: &Located<Description>, registry: &Registry) -> Result<(), ConfigError> {
    let built = build::<Box<dyn Loss<f32, ClassTarget<f32>>>>(key, loss, registry)?;
    built.validate().map_err(|error| failed(key, loss, error.into()))
}

fn check_metric(key: &str, metric: &Located<Description>, registry: &Registry) -> Result<(), ConfigError> {
    let built = build::<Box<dyn Measure<f32, ClassTarget<f32>>>>(key, metric, registry)?;
    built.validate().map_err(|error| failed(key, metric, error.into()))
}

impl Configuration {
    /// Whether everything that is named exists, and can have its settings.
    pub(crate) fn check_names(&self, registry: &Registry) -> Result<(), ConfigError> {
        for layer in &self.layers {
            build::<AnyLayer<f32>>("model.layers", layer, registry)?;
        }
        if let Some(loss) = &self.loss {
            check_loss("loss", loss, registry)?;
        }
        for metric in &self.metrics {
            check_metric("metrics", metric, registry)?;
        }
        for output in &self.outputs {
            for layer in &output.layers {
                build::<AnyLayer<f32>>(&output.key("layers"), layer, registry)?;
            }
            check_loss(&output.key("loss"), &output.loss, registry)?;
            for metric in &output.metrics {
                check_metric(&output.key("metrics"), metric, registry)?;
            }
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

    /// The loss of the one output.
    fn the_loss(&self) -> Result<&Located<Description>, ConfigError> {
        self.loss.as_ref().ok_or_else(|| ConfigError::Contradiction {
            at: self.data.at.clone(),
            problem: "each of several outputs has a loss of its own".to_owned(),
        })
    }

    /// The loss, for targets `Y`.
    fn loss<Y: LearntTarget>(&self, registry: &Registry) -> Result<Box<dyn Loss<f32, Y>>, ConfigError> {
        build("loss", self.the_loss()?, registry)
    }

    /// What the loss takes the outputs of the model for; values, if there are several, which may be different things.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the registry has none of its name.
    pub fn takes(&self, registry: &Registry) -> Result<Outputs, ConfigError> {
        if self.outputs.is_empty() {
            Ok(self.loss::<ClassTarget<f32>>(registry)?.outputs())
        } else {
            Ok(Outputs::Values)
        }
    }

    /// The loss and the metrics for a model of these samples, with scores in the units of the data if its targets are scaled so.
    pub(crate) fn objective<Y: LearntTarget>(
        &self,
        registry: &Registry,
        input: Shape,
        predicts: &PredictedTargets,
        scales: &[[f64; 2]],
    ) -> Result<Objective<Y>, ConfigError> {
        if !self.outputs.is_empty() {
            return Y::several(self, registry, input, predicts, scales);
        }
        let metrics = self.metrics(registry, scales)?.into_iter().map(|metric| (None, metric)).collect();
        Ok(Objective { loss: self.loss(registry)?, metrics })
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

    /// The layers one after the other, those of the outputs, and perhaps one more.
    pub(crate) fn sequential(
        &self,
        registry: &Registry,
        last: Option<Description>,
    ) -> Result<Sequential<f32>, ConfigError> {
        let heads = several_outputs::heads(self, registry)?;
        let parts = self.layers.iter().flat_map(|layer| layer.value.parts()).chain(heads).chain(last);
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
        let objective = self.objective::<Y>(registry, model.input(), predicts, &predicts.scales)?;
        if !self.outputs.is_empty() {
            let objective = self.weighted(objective, predicts)?;
            return self.trainer_of(registry, model, objective);
        }
        let Objective { loss, metrics } = objective;
        let given = self.the_loss()?;
        if !predicts.scales.is_empty() && loss.outputs() != Outputs::Values {
            let problem = format!(
                "{} takes the outputs for {}, which are not scaled: leave out `data.scale_targets`, or choose a loss of values",
                given.value,
                loss.outputs()
            );
            return Err(ConfigError::Contradiction { at: given.at.clone(), problem });
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
            let (outputs, do_) = if columns == 1 { ("output", "does") } else { ("outputs", "do") };
            let problem = format!(
                "{} is the last layer, so the model has {columns} {outputs}, which {do_} not fit {}{why}",
                last.value,
                predicts.words()
            );
            Err(ConfigError::Contradiction { at: last.at.clone(), problem })
        };
        if !predicts.fit(columns) {
            let wanted = match predicts.classes.as_ref().map(Vec::len) {
                Some(2) => "2, or 1 for a loss of two classes such as binary_cross_entropy".to_owned(),
                count => count.unwrap_or(predicts.names.len()).to_string(),
            };
            let loss = match &predicts.classes {
                Some(_) if loss.outputs() == Outputs::Values => {
                    ", and for classes a loss such as cross_entropy"
                }
                _ => "",
            };
            return unlike(format!(": it needs {wanted}{loss}"));
        }
        for (described, (_, metric)) in self.metrics.iter().zip(&metrics) {
            let Some(taken) = metric.outputs(columns, &[]) else { continue };
            let remedy = match (loss.outputs(), taken) {
                (Outputs::Values, Outputs::Logits) if predicts.classes.is_some() => {
                    "choose a loss of classes, such as cross_entropy"
                }
                (Outputs::Values, Outputs::Logits) => {
                    "choose one of values, such as r2 or mean_absolute_error"
                }
                (Outputs::Probabilities, Outputs::Logits) => {
                    "give it from_probabilities=true, or choose another"
                }
                (Outputs::Logits, Outputs::Probabilities) => {
                    "leave from_probabilities out, or choose another"
                }
                _ => continue,
            };
            let problem = format!(
                "the metric {} takes the outputs for {taken}, but the loss, {}, takes them for {}: {remedy}",
                described.value,
                given.value,
                loss.outputs()
            );
            return Err(ConfigError::Contradiction { at: described.at.clone(), problem });
        }
        for target in targets {
            if let Err(error) = loss.check(columns, &[target]) {
                return unlike(format!(": {error}"));
            }
        }
        let objective = self.weighted(Objective { loss, metrics }, predicts)?;
        if self.mixes(registry) {
            self.check_mixed(registry, &*objective.loss, columns, predicts)?;
        }
        self.trainer_of(registry, model, objective)
    }

    /// The same for samples that may count more than others.
    fn weighted<Y: LearntTarget>(
        &self,
        Objective { loss, metrics }: Objective<Y>,
        predicts: &PredictedTargets,
    ) -> Result<Objective<Y>, ConfigError> {
        let of_samples = self.data.weights().map(|weights| (&weights.at, "data.weights"));
        let of_classes = self.class_weights.as_ref().map(|weights| (&weights.at, "class_weights"));
        let Some((at, key)) = of_samples.or(of_classes) else { return Ok(Objective { loss, metrics }) };
        if loss.scope() == Scope::Batch {
            let problem = format!(
                "{} compares the samples of a batch with each other, so that none counts for itself: leave out `{key}`, or choose another loss",
                loss.description()
            );
            return Err(ConfigError::Contradiction { at: at.clone(), problem });
        }
        let targets = predicts.names.len();
        let plain = |(name, metric)| (name, Y::plain_metric(metric, targets));
        let metrics = metrics.into_iter().map(plain).collect();
        Ok(Objective { loss: Box::new(RowWeighted::new(loss, targets)), metrics })
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
        let given = self.the_loss()?;
        loss.check(columns, &targets).map_err(|error| unlike(given, error))?;
        for (described, metric) in self.metrics.iter().zip(self.metrics::<Y>(registry, &predicts.scales)?) {
            metric.check(columns, &targets).map_err(|error| unlike(described, error))?;
        }
        Ok(())
    }

    /// Whether the training has the metric that early stopping looks at.
    fn check_stopping<Y>(&self, metrics: &[NamedMeasure<Y>]) -> Result<(), ConfigError> {
        let wanted = self.early_stopping.as_ref().and_then(|stopping| stopping.metric.as_ref());
        let Some((Located { value: wanted, at }, _)) = wanted else { return Ok(()) };
        let names = metrics.iter().map(|(name, metric)| name.as_deref().unwrap_or(metric.name()));
        let names: Vec<&str> = std::iter::once("loss").chain(names).collect();
        // One of several with the same name is called by its description.
        let is_known = |name: &&str| {
            wanted.strip_prefix(*name).is_some_and(|rest| rest.is_empty() || rest.starts_with('('))
        };
        if names.iter().any(is_known) {
            return Ok(());
        }
        let problem = format!(
            "early stopping looks at {wanted:?}, but the training has only {}: add it to the metrics, or choose one of these",
            names.join(", ")
        );
        Err(ConfigError::Contradiction { at: at.clone(), problem })
    }

    /// A trainer with the settings of this configuration.
    pub(crate) fn trainer_of<Y: LearntTarget>(
        &self,
        registry: &Registry,
        model: Model<f32>,
        objective: Objective<Y>,
    ) -> Result<Trainer<f32, Y>, ConfigError> {
        let Objective { loss, metrics } = objective;
        self.check_stopping(&metrics)?;
        let trainer = Y::trainer(model, loss, self.optimizer(registry)?)
            .batch_size(self.batch_size)
            .shards(self.shards)
            .distributable(true)
            .portable(self.portable)
            .seed(Seed(self.seed));
        let trainer = if self.audit { trainer.audit(Audit::default()) } else { trainer };
        Ok(metrics.into_iter().fold(trainer, |trainer, (name, metric)| match name {
            Some(name) => trainer.metric_as(name, metric),
            None => trainer.metric(metric),
        }))
    }
}
