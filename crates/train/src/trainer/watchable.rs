//! What callbacks see of a trainer.

use chainrule_tensor::Real;

use super::error::TrainError;
use super::history::EpochReport;
use super::size_record::WeightSizes;
use super::snapshot::Snapshot;
use super::view::{TrainingProgress, Watchable};
use super::warning::TrainWarning;
use super::{State, Trainer};
use crate::model::model::Model;

impl<T: Real, Y: Clone + Send + Sync> Watchable<T> for Trainer<T, Y> {
    fn watched_model(&self) -> &Model<T> {
        &self.model
    }

    fn averaged_model(&self) -> Model<T> {
        self.evaluated_model()
    }

    fn progress(&self) -> TrainingProgress {
        let State { step, run, epoch, .. } = &self.state;
        TrainingProgress { steps_done: *step, steps_planned: run.steps.unwrap_or(*step), epochs_done: *epoch }
    }

    fn rate(&self) -> Option<f64> {
        let mut rate = None;
        let step = self.state.at();
        self.optimizer.schedules(&mut |schedule| {
            rate.get_or_insert_with(|| schedule.rate(step));
        });
        rate
    }

    fn names_of_metrics(&self) -> Vec<String> {
        self.state.tallies.names().to_vec()
    }

    fn epoch_reports(&self) -> &[EpochReport] {
        self.history()
    }

    fn recorded_sizes(&self) -> &[WeightSizes] {
        self.weight_sizes()
    }

    fn said_warnings(&self) -> &[TrainWarning] {
        self.warnings()
    }

    fn take_snapshot(&self, snapshot: &mut Snapshot<T>) -> Result<(), TrainError> {
        self.copy_weights_to(snapshot)
    }
}
