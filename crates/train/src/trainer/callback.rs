//! Watching a training.

use std::ops::ControlFlow;

use super::error::TrainError;
use super::history::EpochReport;
use super::tallies::RunningMetrics;

/// Something that happens in a training.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The training begins.
    Start {
        /// The number of epochs it will take.
        epochs: u64,
        /// The number of batches in an epoch.
        batches: usize,
        /// The number of samples in an epoch.
        samples: usize,
    },
    /// An epoch begins. It is not told again when a training goes on in the middle of one.
    Epoch {
        /// The epoch, from 0.
        epoch: u64,
    },
    /// A step was taken.
    Step {
        /// The epoch, from 0.
        epoch: u64,
        /// The batch of the epoch, from 0.
        batch: usize,
        /// The number of samples of this epoch so far.
        samples: usize,
        /// The mean loss over these samples.
        loss: f64,
        /// The metrics over these samples, by name.
        metrics: RunningMetrics<'a>,
    },
    /// A step was left out, since it would not have left everything finite: see
    /// [`Trainer::skip_nonfinite`](super::Trainer::skip_nonfinite).
    Skipped {
        /// Why.
        error: &'a TrainError,
    },
    /// An epoch has ended, with all its samples.
    EpochEnd(&'a EpochReport),
}

/// Watches a training, and can stop it with [`ControlFlow::Break`]. Every `FnMut(&Event) -> ControlFlow<()>` is one.
///
/// All callbacks are told of an event before the training stops. It goes on where it stopped: see
/// [`Trainer::fit`](super::Trainer::fit).
pub trait Callback: Send {
    /// Called for each event, on the thread that trains.
    fn on(&mut self, event: &Event<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&Event<'_>) -> ControlFlow<()> + Send> Callback for F {
    fn on(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        self(event)
    }
}
