//! What logs write of an event.

use chainrule_metrics::MetricValue;
use chainrule_tensor::Real;

use crate::trainer::{Event, Scores, TrainerView};

/// A row of a log.
#[derive(Debug)]
pub(super) struct LogRow {
    /// Whether it is of a completed epoch; else it is of the epoch so far.
    pub(super) is_epoch: bool,
    /// The epoch, from 1.
    pub(super) epoch: u64,
    /// The number of steps that were taken since the training began.
    pub(super) steps: u64,
    /// The number of samples of the epoch.
    pub(super) samples: usize,
    /// How long the epoch took.
    pub(super) seconds: Option<f64>,
    pub(super) rate: Option<f64>,
    /// Over the training samples.
    pub(super) train: Vec<(String, Option<f64>)>,
    /// Over the validation samples.
    pub(super) validation: Vec<(String, Option<f64>)>,
}

impl LogRow {
    /// The row of an event, if it has one: after each epoch, each validation, and every so many steps, but never for 0.
    pub(super) fn of<T: Real>(
        event: &Event<'_>,
        every_steps: u64,
        training: &TrainerView<'_, T>,
    ) -> Option<Self> {
        let steps = training.steps_done();
        match event {
            Event::EpochEnd(report) => Some(Self {
                is_epoch: true,
                epoch: report.epoch + 1,
                steps,
                samples: report.samples,
                seconds: Some(report.seconds),
                rate: training.learning_rate(),
                train: numbers(&report.train),
                validation: report.validation.as_ref().map(numbers).unwrap_or_default(),
            }),
            Event::Step { epoch, samples, loss, metrics, validation, .. }
                if validation.is_some() || every_steps > 0 && steps.is_multiple_of(every_steps) =>
            {
                Some(Self {
                    is_epoch: false,
                    epoch: epoch + 1,
                    steps,
                    samples: *samples,
                    seconds: None,
                    rate: training.learning_rate(),
                    train: numbers(&Scores { loss: *loss, metrics: metrics.values() }),
                    validation: validation.map(numbers).unwrap_or_default(),
                })
            }
            _ => None,
        }
    }
}

/// The loss, and the metrics by name: each number of a vector on its own, and no tables.
fn numbers(scores: &Scores) -> Vec<(String, Option<f64>)> {
    let mut numbers = vec![("loss".to_owned(), Some(scores.loss))];
    for (name, value) in &scores.metrics {
        match value {
            MetricValue::Vector(values) => {
                let each = values.iter().enumerate();
                numbers.extend(
                    each.map(|(index, value)| (format!("{name}[{index}]"), value.as_ref().ok().copied())),
                );
            }
            MetricValue::Table(_) => {}
            value => numbers.push((name.clone(), value.as_number())),
        }
    }
    numbers
}
