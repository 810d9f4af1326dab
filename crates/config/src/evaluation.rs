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
    pub confusion: Option<Confusion>,
    /// The same of each of several outputs that is a class; nothing of the others.
    pub of_outputs: Vec<Option<Confusion>>,
}

/// For each class, how often it was taken for each.
pub type Confusion = Vec<Vec<u64>>;

/// Evaluates a model on data, with the loss and the metrics of its trainer, and counts which classes it takes for which.
pub struct Evaluation<Y: LearntTarget> {
    trainer: Trainer<f32, Y>,
    /// The number of outputs, if there are several.
    outputs: usize,
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
        let input = model.input();
        let trainer = configuration.trainer_of(registry, model, objective)?.threads(threads);
        let evaluation = Self::new(trainer, outputs);
        if configuration.outputs.is_empty() {
            return Ok(evaluation);
        }
        let confusions = Y::confusions(configuration, registry, input, predicts)?;
        let trainer = confusions.into_iter().fold(evaluation.trainer, |trainer, (output, confusion)| {
            trainer.metric_as(confusion_of(output), confusion)
        });
        Ok(Self { trainer, outputs: configuration.outputs.len() })
    }

    /// With the loss and the metrics of this trainer, whose loss takes the outputs of the model for these.
    pub fn new(trainer: Trainer<f32, Y>, outputs: Outputs) -> Self {
        let confusion = Y::confusion(outputs, trainer.model().output().size());
        let trainer = match confusion {
            Some(confusion) => trainer.metric_as(CONFUSION, confusion),
            None => trainer,
        };
        Self { trainer, outputs: 0 }
    }

    /// How it does on these samples.
    ///
    /// # Errors
    ///
    /// As [`Trainer::evaluate`].
    pub fn of(&mut self, samples: &SharedSamples<Y>) -> Result<Evaluated, ConfigError> {
        let mut scores = self.trainer.evaluate(&**samples)?;
        let mut confusion = |wanted: &str| {
            let position = scores.metrics.iter().position(|(name, _)| name == wanted)?;
            counts(&scores.metrics.remove(position).1)
        };
        let of_outputs = (0..self.outputs).map(|output| confusion(&confusion_of(output))).collect();
        let confusion = confusion(CONFUSION);
        Ok(Evaluated { samples: samples.len(), scores, confusion, of_outputs })
    }

    pub(crate) fn into_model(self) -> Model<f32> {
        self.trainer.into_model()
    }
}

/// The name under which the confusion matrix of one of several outputs is counted.
fn confusion_of(output: usize) -> String {
    format!("{CONFUSION}, output {output}")
}

fn counts(value: &MetricValue) -> Option<Confusion> {
    let rows = value.as_table()?.rows().iter();
    Some(rows.map(|row| row.iter().map(|&count| count as u64).collect()).collect())
}
