//! Watching a training.

use std::ops::ControlFlow;

use chainrule_tensor::Real;

use super::checkpoint::Checkpoint;
use super::error::TrainError;
use super::history::{EpochReport, History, Scores};
use super::tallies::RunningMetrics;
use super::view::TrainerView;
use crate::model::file::FileError;

/// Something that happens in a training.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The training begins, or goes on.
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
    /// A step begins.
    Batch {
        /// The epoch, from 0.
        epoch: u64,
        /// The batch of the epoch, from 0.
        batch: usize,
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
        /// The mean loss of this batch, before the step.
        batch_loss: f64,
        /// The metrics over these samples, by name.
        metrics: RunningMetrics<'a>,
        /// The scores of a validation after this step: see [`Fit::validate_every`](super::Fit::validate_every). That at the end of
        /// an epoch is in its report.
        validation: Option<&'a Scores>,
    },
    /// A step was left out, since it would not have left everything finite: see
    /// [`Trainer::skip_nonfinite`](super::Trainer::skip_nonfinite).
    Skipped {
        /// Why.
        error: &'a TrainError,
    },
    /// An epoch has ended, with all its samples.
    EpochEnd(&'a EpochReport),
    /// The training ends, however it does: all its epochs are completed, a callback stopped it ([`History::stopped`]), or it failed.
    /// To stop it now has no meaning any more.
    End {
        /// What it has done.
        history: &'a History,
        /// Why it failed, if it did.
        error: Option<&'a TrainError>,
    },
}

/// Watches a training, sees its model, and can stop it with [`ControlFlow::Break`].
///
/// Every `FnMut(&Event) -> ControlFlow<()>` is one. A closure that also sees the training is given to
/// [`Trainer::on_event`](super::Trainer::on_event); the module [`callbacks`](crate::callbacks) has early stopping, checkpoints and logs.
///
/// All callbacks are told of an event, in the order in which they were added, before the training stops. It goes on where it stopped:
/// see [`Trainer::fit`](super::Trainer::fit).
///
/// ```
/// use std::ops::ControlFlow;
/// use chainrule_tensor::Real;
/// use chainrule_train::{Callback, Event, TrainerView};
///
/// /// Stops when a weight gets large.
/// struct LargeWeights(f64);
///
/// impl<T: Real> Callback<T> for LargeWeights {
///     fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
///         let Event::EpochEnd(_) = event else { return ControlFlow::Continue(()) };
///         let large = training.model().parameters().iter().any(|weight| weight.as_f64().abs() > self.0);
///         if large { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
///     }
/// }
/// ```
pub trait Callback<T: Real>: Send {
    /// Called for each event, on the thread that trains.
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()>;

    /// Called after an event at which it has [asked for a checkpoint](TrainerView::request_checkpoint), when all callbacks were told
    /// of it, so that the states of all of them are those after the event.
    ///
    /// # Errors
    ///
    /// That of a file; the training goes on with a warning.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), FileError> {
        let _ = checkpoint;
        Ok(())
    }

    /// The name under which checkpoints hold its [`state`](Self::state).
    fn name(&self) -> &str {
        "callback"
    }

    /// What it needs to go on after a training is resumed, in bytes of its own; `None`, the default, if there is nothing.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Goes on from what [`state`](Self::state) returned, before the first event of a training that was resumed; `None` if that is no
    /// state of this callback.
    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let _ = state;
        Some(())
    }
}

impl<T: Real, F: FnMut(&Event<'_>) -> ControlFlow<()> + Send> Callback<T> for F {
    fn on(&mut self, event: &Event<'_>, _: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        self(event)
    }
}

/// A closure that sees the training.
pub(super) struct SeeingClosure<F>(pub(super) F);

impl<T: Real, F> Callback<T> for SeeingClosure<F>
where
    F: FnMut(&Event<'_>, &mut TrainerView<'_, T>) -> ControlFlow<()> + Send,
{
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        self.0(event, training)
    }
}
