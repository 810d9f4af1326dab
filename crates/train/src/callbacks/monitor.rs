//! The quantity that a callback looks at.

use chainrule_core::SettingError;
use chainrule_optim::schedule::Better;
use chainrule_tensor::Real;

use crate::trainer::{Event, Scores, TrainError, TrainerView};

/// The quantity that a trainer has besides its metrics.
const LOSS: &str = "loss";

/// A loss or a metric, and in which direction it improves.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    name: String,
    better: Better,
}

impl Monitor {
    /// The loss.
    pub(super) fn loss() -> Self {
        Self::new(LOSS, Better::Min)
    }

    pub(super) fn new(name: &str, better: Better) -> Self {
        Self { name: name.to_owned(), better }
    }

    /// Ends the training if it has no quantity of this name.
    pub(super) fn check<T: Real>(&self, owner: &'static str, training: &mut TrainerView<'_, T>) {
        if self.name == LOSS || training.metric_names().contains(&self.name) {
            return;
        }
        let conflict = "what it looks at is no metric of the trainer: add that metric, or choose `loss`";
        training.fail(TrainError::Setting(SettingError::Conflict { owner, conflict }));
    }

    /// The quantity in these scores; NaN if it has no value, or more than one.
    pub(super) fn value(&self, scores: &Scores) -> f64 {
        let value = if self.name == LOSS { Some(scores.loss) } else { scores.metric(&self.name) };
        value.unwrap_or(f64::NAN)
    }

    /// Whether a value is better than another one by more than this. NaN is never better.
    pub(super) fn is_better(&self, value: f64, than: f64, by_more_than: f64) -> bool {
        match self.better {
            Better::Min => value + by_more_than < than,
            Better::Max => value - by_more_than > than,
        }
    }
}

/// The scores to look at, if an event has any: those of a validation, or, after an epoch without one, those of the training.
pub(super) fn scores_of<'a>(event: &Event<'a>) -> Option<&'a Scores> {
    match event {
        Event::EpochEnd(report) => Some(report.validation.as_ref().unwrap_or(&report.train)),
        Event::Step { validation, .. } => *validation,
        _ => None,
    }
}
