//! What the program says of its own work with `-v`: on standard error, by the crate `tracing`.

use std::io::stderr;
use std::ops::ControlFlow;

use chainrule::tensor::Real;
use chainrule::train::{Callback, EpochReport, Event, TrainerView};
use tracing::level_filters::LevelFilter;
use tracing::{debug, info, trace};
use tracing_subscriber::fmt::time::Uptime;

use crate::processes;

/// Writes what is said from here on: with `-v` of the parts of a command, with `-vv` of epochs, with `-vvv` of steps.
pub(crate) fn begin(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::INFO,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Of several processes one speaks. A reader of these lines that is gone is no error.
    if !processes::is_first() {
        return;
    }
    let subscriber = tracing_subscriber::fmt().log_internal_errors(false).with_max_level(level);
    let subscriber = subscriber.with_ansi(false).with_target(false);
    // Another subscriber can only be one of this function.
    let _ = subscriber.with_timer(Uptime::default()).with_writer(stderr).try_init();
}

/// Says what happens in a training.
pub(crate) struct TracedEvents;

impl<T: Real> Callback<T> for TracedEvents {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        match event {
            Event::Start { epochs, batches, samples } => {
                info!(epochs, batches, samples, "the training begins");
            }
            Event::Step { epoch, batch, batch_loss, validation, .. } => {
                if let Some(validation) = validation {
                    debug!(epoch, batch, loss = validation.loss, "a validation within an epoch");
                }
                trace!(epoch, batch, loss = batch_loss, rate = training.learning_rate(), "step");
            }
            Event::Skipped { error } => info!(%error, "a step was left out"),
            Event::EpochEnd(EpochReport { epoch, train, seconds, .. }) => {
                debug!(epoch, loss = train.loss, seconds, rate = training.learning_rate(), "an epoch ends");
            }
            Event::End { history, error } => {
                let error = error.map(|error| error.to_string());
                info!(epochs = history.epochs.len(), stopped = history.stopped, error, "the training ends");
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
