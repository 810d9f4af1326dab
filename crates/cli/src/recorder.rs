//! What a report shows of the course of a training: losses and the learning rate over the steps, and validations within epochs.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use chainrule::prelude::*;
use chainrule::train::{Scores, TrainerView};
use serde::{Deserialize, Serialize};

/// The number of points of losses and rates.
const POINTS: u64 = 400;

/// At about how many steps the sizes of weights and gradients are recorded.
pub(crate) const SIZES: u64 = 60;

/// What was recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    /// The epochs so far, with the mean loss of some batches in a row.
    pub(crate) losses: Vec<(f64, f64)>,
    /// The steps, with their rate.
    pub(crate) rates: Vec<(f64, f64)>,
    /// Those within epochs.
    pub(crate) validations: Vec<RecordedValidation>,
}

/// A validation within an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecordedValidation {
    /// The number of steps that were taken since the training began.
    pub(crate) steps: u64,
    /// The epochs so far, of which the last is a part.
    pub(crate) epochs: f64,
    /// `None` if it is not finite.
    pub(crate) loss: Option<f64>,
    /// Those that are numbers, by their names.
    pub(crate) metrics: BTreeMap<String, f64>,
}

impl RecordedValidation {
    fn new(steps: u64, epochs: f64, scores: &Scores) -> Self {
        let number = |value: Option<f64>| value.filter(|value| value.is_finite());
        let metrics = scores.metrics.iter();
        let metrics = metrics.filter_map(|(name, value)| Some((name.clone(), number(value.as_number())?)));
        Self { steps, epochs, loss: number(Some(scores.loss)), metrics: metrics.collect() }
    }
}

/// A callback that records the course of a training. Clones record to the same place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recorder {
    recorded: Arc<Mutex<Recorded>>,
    /// The number of batches of an epoch.
    batches: u64,
    /// The losses of the batches since the last point.
    losses: Vec<f64>,
}

impl Recorder {
    /// What was recorded so far.
    pub(crate) fn recorded(&self) -> Recorded {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<T: chainrule::tensor::Real> Callback<T> for Recorder {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        match event {
            Event::Start { batches, .. } => self.batches = *batches as u64,
            Event::Step { epoch, batch, batch_loss, validation, .. } => {
                self.losses.push(*batch_loss);
                let (done, planned) = (training.steps_done(), training.steps_planned().max(1));
                if let Some(validation) = validation {
                    let epochs = *epoch as f64 + (*batch as f64 + 1.0) / self.batches.max(1) as f64;
                    let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
                    recorded.validations.push(RecordedValidation::new(done, epochs, validation));
                }
                if self.losses.len() as u64 >= planned.div_ceil(POINTS) {
                    let loss = self.losses.iter().sum::<f64>() / self.losses.len() as f64;
                    let epochs = done as f64 / self.batches.max(1) as f64;
                    let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
                    recorded.losses.push((epochs, loss));
                    recorded.rates.extend(training.learning_rate().map(|rate| (done as f64, rate)));
                    self.losses.clear();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "recorder"
    }

    /// The validations, which no other part of a checkpoint has.
    fn state(&self) -> Option<Vec<u8>> {
        let validations = self.recorded().validations;
        if validations.is_empty() { None } else { serde_json::to_vec(&validations).ok() }
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let validations = serde_json::from_slice(state).ok()?;
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).validations = validations;
        Some(())
    }
}
