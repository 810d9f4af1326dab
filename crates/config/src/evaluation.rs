//! How a model does on data.

use chainrule::core::Registry;
use chainrule::metrics::MetricValue;
use chainrule::tensor::Outputs;
use chainrule::train::{Model, Scores, Trainer};

use crate::configuration::Configuration;
use crate::error::ConfigError;
use crate::load::SharedSamples;
use crate::targets::{LearntTarget, PredictedTargets};

/// The name under which the confusion matrix is counted.
const CONFUSION: &str = "confusion matrix of the evaluation";

/// How a model does on some samples.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evaluated {
    /// How many samples there are.
    pub samples: usize,
    /// The loss and the metrics.
    pub scores: Scores,
    /// How often each class (row) was taken for each (column).
    pub confusion: Option<Vec<Vec<u64>>>,
}

/// Evaluates a model on data, with the loss and the metrics of its trainer, and counts which classes it takes for which.
pub struct Evaluation<Y: LearntTarget> {
    trainer: Trainer<f32, Y>,
}

impl<Y: LearntTarget> Evaluation<Y> {
    /// With the loss and the metrics of a configuration, for a model in the units of the data.
    pub(crate) fn of_configuration(
        configuration: &Configuration,
        registry: &Registry,
        model: Model<f32>,
        predicts: &PredictedTargets,
        threads: usize,
    ) -> Result<Self, ConfigError> {
        let objective = configuration.objective::<Y>(registry, model.input(), predicts, &[])?;
        let outputs = objective.loss.outputs();
        let trainer = configuration.trainer_of(registry, model, objective)?.threads(threads);
        Ok(Self::new(trainer, outputs))
    }

    /// With the loss and the metrics of this trainer, whose loss takes the outputs of the model for these.
    pub fn new(trainer: Trainer<f32, Y>, outputs: Outputs) -> Self {
        let confusion = Y::confusion(outputs, trainer.model().output().size());
        let trainer = match confusion {
            Some(confusion) => trainer.metric_as(CONFUSION, confusion),
            None => trainer,
        };
        Self { trainer }
    }

    /// How it does on these samples.
    ///
    /// # Errors
    ///
    /// As [`Trainer::evaluate`].
    pub fn of(&mut self, samples: &SharedSamples<Y>) -> Result<Evaluated, ConfigError> {
        let mut scores = self.trainer.evaluate(&**samples)?;
        let position = scores.metrics.iter().position(|(name, _)| name == CONFUSION);
        let confusion = position.map(|position| scores.metrics.remove(position).1);
        let counts = |value: MetricValue| {
            let rows = value.as_table()?.rows().iter();
            Some(rows.map(|row| row.iter().map(|&count| count as u64).collect()).collect())
        };
        let samples = samples.len();
        Ok(Evaluated { samples, scores, confusion: confusion.and_then(counts) })
    }

    pub(crate) fn into_model(self) -> Model<f32> {
        self.trainer.into_model()
    }
}
