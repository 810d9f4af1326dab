//! Stopping after a time.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use chainrule_tensor::Real;

use crate::trainer::{Callback, Event, TrainerView};

/// Stops a training after the step in which this much time is over, validations included. The time of a training that is interrupted
/// and goes on, also from a checkpoint, is counted together.
#[derive(Debug)]
pub struct TimeLimit {
    limit: Duration,
    /// Before the training was interrupted.
    before: Duration,
    begun: Option<Instant>,
    /// Whether the training is over, so that another one begins.
    over: bool,
}

impl TimeLimit {
    /// Stops after this much time.
    pub fn new(limit: Duration) -> Self {
        Self { limit, before: Duration::ZERO, begun: None, over: false }
    }

    fn used(&self) -> Duration {
        self.before + self.begun.map_or(Duration::ZERO, |begun| begun.elapsed())
    }
}

impl<T: Real> Callback<T> for TimeLimit {
    fn on(&mut self, event: &Event<'_>, _: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        match event {
            Event::Start { .. } => {
                if std::mem::take(&mut self.over) {
                    self.before = Duration::ZERO;
                }
                self.begun = Some(Instant::now());
                if self.used() >= self.limit {
                    return ControlFlow::Break(());
                }
            }
            Event::Step { .. } | Event::Skipped { .. } if self.used() >= self.limit => {
                self.over = true;
                return ControlFlow::Break(());
            }
            Event::End { history, error } => {
                self.over |= error.is_none() && !history.stopped;
                self.before = self.used();
                self.begun = None;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn name(&self) -> &str {
        "time_limit"
    }

    fn state(&self) -> Option<Vec<u8>> {
        Some(self.used().as_secs_f64().to_le_bytes().to_vec())
    }

    fn restore(&mut self, state: &[u8]) -> Option<()> {
        let seconds = f64::from_le_bytes(state.try_into().ok()?);
        self.before = Duration::try_from_secs_f64(seconds).ok()?;
        Some(())
    }
}
