//! What a report shows of the course of a training: losses and the learning rate over the steps.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use chainrule::prelude::*;
use chainrule::train::TrainerView;

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
            Event::Step { batch_loss, .. } => {
                self.losses.push(*batch_loss);
                let (done, planned) = (training.steps_done(), training.steps_planned().max(1));
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
}
