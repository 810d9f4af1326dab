//! A learning rate that is reduced when a loss or a metric stops improving.

use chainrule_core::SettingError;
use chainrule_metrics::MetricValue;
use chainrule_optim::schedule::{Plateau, ReduceOnPlateau};
use chainrule_tensor::Real;

use super::Trainer;
use super::error::TrainError;
use super::history::EpochReport;

/// The quantity that a trainer has besides its metrics.
const LOSS: &str = "loss";

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Whether a schedule of the optimizer follows a quantity, which it then has to know.
    pub(super) fn check_plateau(&self) -> Result<(), TrainError> {
        let followed = self.plateaus();
        let Some((first, others)) = followed.split_first() else { return Ok(()) };
        let known = |plateau: &ReduceOnPlateau| {
            let name = plateau.monitored();
            name == LOSS || self.metrics.iter().any(|metric| metric.name() == name)
        };
        if !known(first) {
            return Err(conflict(
                "what it looks at is no metric of the trainer: add that metric, or choose `loss`",
            ));
        }
        if others.iter().any(|other| other.without_rate() != first.without_rate()) {
            return Err(conflict(
                "the optimizer has two that differ: give all its groups the same one, but for the rate",
            ));
        }
        Ok(())
    }

    /// Takes note of what an epoch has found, and reduces the rate if it is time.
    pub(super) fn observe(&mut self, report: &EpochReport) -> Result<(), TrainError> {
        let plateaus = self.plateaus();
        let Some(plateau) = plateaus.first() else { return Ok(()) };
        let scores = report.validation.as_ref().unwrap_or(&report.train);
        let value = match plateau.monitored() {
            LOSS => scores.loss,
            name => match scores.value(name) {
                Some(MetricValue::Number(value)) => *value,
                // An epoch without a value has not improved it.
                Some(MetricValue::Undefined(_)) | None => f64::NAN,
                Some(_) => {
                    return Err(conflict(
                        "what it looks at is more than one number: choose a metric that is one",
                    ));
                }
            },
        };
        plateau.observe(&mut self.state.plateau, value);
        self.state.run.reductions = self.state.plateau.reductions;
        Ok(())
    }

    /// The schedules of the optimizer that follow a quantity.
    fn plateaus(&self) -> Vec<ReduceOnPlateau> {
        let mut found = Vec::new();
        self.optimizer.schedules(&mut |schedule| found.extend(schedule.plateau().cloned()));
        found
    }

    /// What a checkpoint holds of it: nothing if no schedule follows a quantity.
    pub(super) fn plateau_numbers(&self) -> Vec<f64> {
        let Plateau { best, bad_epochs, cooldown, reductions } = self.state.plateau;
        let numbers = [best.unwrap_or(f64::NAN), bad_epochs as f64, cooldown as f64, f64::from(reductions)];
        if self.plateaus().is_empty() { Vec::new() } else { numbers.to_vec() }
    }

    /// Goes on from what a checkpoint holds of it.
    pub(super) fn restore_plateau(&mut self, numbers: &[f64]) {
        let &[best, bad_epochs, cooldown, reductions] = numbers else { return };
        let best = (!best.is_nan()).then_some(best);
        let [bad_epochs, cooldown] = [bad_epochs, cooldown].map(|epochs| epochs as u64);
        self.state.plateau = Plateau { best, bad_epochs, cooldown, reductions: reductions as u32 };
        self.state.run.reductions = self.state.plateau.reductions;
    }
}

fn conflict(conflict: &'static str) -> TrainError {
    TrainError::Setting(SettingError::Conflict { owner: "ReduceOnPlateau", conflict })
}
