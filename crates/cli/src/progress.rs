//! The progress of a training: a bar on a terminal, otherwise a line per epoch.

use std::io::{IsTerminal, stderr};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chainrule::tensor::Real;
use chainrule::train::{Callback, EpochReport, Event, Scores, TrainerView};
use chainrule_cli::terminal;
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::precise;

/// How often the bar is redrawn.
const REDRAW_INTERVAL: Duration = Duration::from_millis(100);

/// Redrawing takes at most this part of the time, also with metrics whose values take long to compute.
const REDRAW_SHARE: u32 = 50;

/// Prints the progress to standard error.
pub(crate) struct ProgressPrinter {
    bar: Option<ProgressBar>,
    /// The number of epochs when the training is complete.
    epochs: u64,
    batches: usize,
    begin: Instant,
    /// The number of steps that are not part of this run, since they were taken before it was interrupted.
    before: u64,
    drawn: Instant,
    /// How long that took.
    drawing: Duration,
}

impl ProgressPrinter {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        let bar = stderr().is_terminal().then(|| ProgressBar::new(0));
        Self { bar, epochs: 0, batches: 0, begin: now, before: 0, drawn: now, drawing: Duration::ZERO }
    }

    /// Prints a line, above the bar if there is one.
    fn print(&self, line: String) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None => terminal::note(line),
        }
    }

    fn line(&self, report: &EpochReport) -> String {
        let EpochReport { epoch, train, validation, seconds, samples } = report;
        let rate = *samples as f64 / seconds;
        let validation =
            validation.as_ref().map(|scores| format!("  validation {scores}")).unwrap_or_default();
        format!(
            "epoch {}/{}  {train}{validation}  {}  {rate:.0} samples/s",
            epoch + 1,
            self.epochs,
            precise(*seconds, 3)
        )
    }
}

impl<T: Real> Callback<T> for ProgressPrinter {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        match event {
            Event::Start { epochs, batches, .. } => {
                self.epochs = training.epochs_done() + *epochs;
                self.batches = *batches;
                self.begin = Instant::now();
                self.before = training.steps_done();
                if let Some(bar) = &self.bar {
                    bar.set_length(self.epochs * *batches as u64);
                    let template = "{bar:24} {msg}";
                    bar.set_style(
                        ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar()),
                    );
                }
            }
            Event::Step { epoch, batch, samples, loss, metrics, validation, .. } => {
                if let Some(validation) = validation {
                    let train = Scores { loss: *loss, metrics: metrics.values() };
                    let (epoch, epochs, batch, batches) = (epoch + 1, self.epochs, batch + 1, self.batches);
                    self.print(format!(
                        "epoch {epoch}/{epochs}  batch {batch}/{batches}  {train}  validation {validation}"
                    ));
                }
                let Some(bar) = &self.bar else { return ControlFlow::Continue(()) };
                // Reading the clock costs less than a step; drawing costs more.
                let now = Instant::now();
                if now - self.drawn < REDRAW_INTERVAL.max(REDRAW_SHARE * self.drawing) {
                    return ControlFlow::Continue(());
                }
                self.drawn = now;
                let done = *epoch * self.batches as u64 + *batch as u64 + 1;
                let total = self.epochs * self.batches as u64;
                let spent = (now - self.begin).as_secs_f64();
                let own = done.saturating_sub(self.before).max(1) as f64;
                let left = spent / own * (total - done.min(total)) as f64;
                let rate = *samples as f64 / (*batch + 1) as f64 * own / spent;
                let metrics: String =
                    metrics.values().iter().map(|(name, value)| format!("  {name} {value}")).collect();
                bar.set_position(done);
                bar.set_message(format!(
                    "epoch {}/{}  batch {}/{}  loss {loss:.4}{metrics}  {rate:.0} samples/s  {left:.0} s left",
                    epoch + 1,
                    self.epochs,
                    batch + 1,
                    self.batches,
                ));
                self.drawing = now.elapsed();
            }
            Event::EpochEnd(report) => {
                self.print(self.line(report));
            }
            Event::End { .. } => {
                if let Some(bar) = &self.bar {
                    bar.finish_and_clear();
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
