//! Saving models in the course of a training.

use std::ops::ControlFlow;
use std::path::PathBuf;

use chainrule_optim::schedule::Better;
use chainrule_tensor::Real;

use super::monitor::{Monitor, scores_of};
use crate::trainer::{Callback, Event, TrainWarning, TrainerView};

/// Saves the best model, the last one, or one every so many epochs, as Keras' `ModelCheckpoint` does.
///
/// The file holds the model as it is evaluated ([`Trainer::evaluated_model`](crate::Trainer::evaluated_model)), for
/// [`Model::load`](crate::Model::load). To go on with a training, see [`Checkpoints`](super::Checkpoints). Where `{epoch}` is in the path, it
/// is replaced by the number of the epoch, from 1. If a model cannot be saved, the trainer warns, and the training goes on.
#[derive(Debug)]
pub struct ModelCheckpoint {
    path: PathBuf,
    when: When,
    /// The best value so far.
    best: Option<f64>,
    failed: bool,
}

#[derive(Debug)]
enum When {
    /// Where this is better than before.
    Best(Monitor),
    /// After every so many epochs.
    Every(u64),
}

impl ModelCheckpoint {
    /// The model with the lowest loss, of the validation where there is one: saved whenever there is a new one.
    pub fn best(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), when: When::Best(Monitor::loss()), best: None, failed: false }
    }

    /// The model after the last epoch: saved after each.
    pub fn last(path: impl Into<PathBuf>) -> Self {
        Self::every_epochs(1, path)
    }

    /// The model after every so many epochs: `every_epochs(10, "model-{epoch}.chainrule")`. 0 is as 1.
    pub fn every_epochs(epochs: u64, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), when: When::Every(epochs.max(1)), best: None, failed: false }
    }

    /// The best by this metric, of which a lower or a higher value is better.
    #[must_use]
    pub fn monitor(self, metric: &str, better: Better) -> Self {
        Self { when: When::Best(Monitor::new(metric, better)), ..self }
    }

    /// Whether the model is to be saved now.
    fn is_due(&mut self, event: &Event<'_>) -> bool {
        match (&self.when, event) {
            (When::Every(epochs), Event::EpochEnd(report)) => (report.epoch + 1).is_multiple_of(*epochs),
            (When::Every(_), _) => false,
            (When::Best(monitor), event) => {
                let Some(scores) = scores_of(event) else { return false };
                let value = monitor.value(scores);
                let better = match self.best {
                    None => !value.is_nan(),
                    Some(best) => monitor.is_better(value, best, 0.0),
                };
                if better {
                    self.best = Some(value);
                }
                better
            }
        }
    }
}

impl<T: Real> Callback<T> for ModelCheckpoint {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        if let (Event::Start { .. }, When::Best(monitor)) = (event, &self.when) {
            monitor.check("ModelCheckpoint", training);
        }
        if self.is_due(event) {
            let epoch = match event {
                Event::EpochEnd(report) => report.epoch + 1,
                _ => training.epochs_done() + 1,
            };
            let path = match self.path.to_str() {
                Some(path) => PathBuf::from(path.replace("{epoch}", &epoch.to_string())),
                None => self.path.clone(),
            };
            let saved = training.evaluated_model().save(path);
            let failed = std::mem::replace(&mut self.failed, saved.is_err());
            if let (Err(error), false) = (saved, failed) {
                training.warn(TrainWarning::not_saved(&error));
            }
        }
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "model_checkpoint"
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.best.map_or_else(Vec::new, |best| best.to_le_bytes().to_vec()))
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        self.best = match state {
            [] => None,
            state => Some(f64::from_le_bytes(state.try_into().ok()?)),
        };
        Some(())
    }
}
