//! Checkpoints in the course of a training.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chainrule_tensor::Real;

use crate::model::FileError;
use crate::trainer::{Callback, Checkpoint, Event, TrainWarning, TrainerView};

/// Writes what a training needs to go on with the same bits after it was interrupted: by steps, by time or by epochs, and when the
/// training ends, however it does.
///
/// A thread writes the file while the training goes on, whole or not at all; one that is due before the last one is written waits for
/// it. If it cannot be written, as on a full disk, the last good one stays, the trainer warns once, and the training goes on.
/// [`Trainer::resume`](crate::Trainer::resume) and [`resume_or_start`](crate::Trainer::resume_or_start) go on from it.
///
/// Between two of them the directory has the files that [`keep`](Self::keep) names, and while one is written a temporary file, which
/// [`chainrule_data::output::write`] describes.
#[derive(Debug)]
pub struct Checkpoints {
    path: PathBuf,
    keep: usize,
    every_steps: u64,
    every: Option<Duration>,
    every_epochs: u64,
    writer: Writer,
    /// When the last one was begun.
    begun: Instant,
    /// Whether something has happened since then.
    changed: bool,
    /// Whether one is to be written.
    due: bool,
    /// Whether the training has ended, so that it is written at once.
    ended: bool,
    /// Whether the last one could not be written.
    failed: bool,
}

impl Checkpoints {
    /// Writes to this file when the training ends, and when one of the other methods says so.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            keep: 1,
            every_steps: 0,
            every: None,
            every_epochs: 0,
            writer: Writer(None),
            begun: Instant::now(),
            changed: false,
            due: false,
            ended: false,
            failed: false,
        }
    }

    /// Writes one after every so many steps; never for 0.
    #[must_use]
    pub fn every_steps(self, steps: u64) -> Self {
        Self { every_steps: steps, ..self }
    }

    /// Writes one when so much time has passed since the last one, after a step.
    #[must_use]
    pub fn every(self, time: Duration) -> Self {
        Self { every: Some(time), ..self }
    }

    /// Writes one after every so many epochs; never for 0.
    #[must_use]
    pub fn every_epochs(self, epochs: u64) -> Self {
        Self { every_epochs: epochs, ..self }
    }

    /// Keeps the last files, this many: the newest has the name that was given, the one before it has `.1` appended, then `.2`. 1 by
    /// default, where only the newest is kept.
    #[must_use]
    pub fn keep(self, files: usize) -> Self {
        Self { keep: files.max(1), ..self }
    }

    /// Takes note of whether the last file was written, if that is known, or in any case if it is to `wait`.
    fn finish_writing<T: Real>(&mut self, wait: bool, training: &mut TrainerView<'_, T>) {
        let Some(writer) = self.writer.0.take_if(|writer| wait || writer.is_finished()) else { return };
        // A thread that panics has said so.
        let Ok(written) = writer.join() else { return };
        match written {
            Ok(()) => self.failed = false,
            Err(error) => {
                self.changed = true;
                if !std::mem::replace(&mut self.failed, true) {
                    training.warn(TrainWarning::not_saved(&error));
                }
            }
        }
    }
}

impl<T: Real> Callback<T> for Checkpoints {
    fn on(&mut self, event: &Event<'_>, training: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        match event {
            Event::Start { .. } => {
                self.begun = Instant::now();
                (self.changed, self.due, self.ended) = (false, false, false);
            }
            Event::Step { .. } => {
                self.changed = true;
                self.due |= self.every_steps > 0 && training.steps_done().is_multiple_of(self.every_steps);
                self.due |= self.every.is_some_and(|every| self.begun.elapsed() >= every);
            }
            Event::EpochEnd(report) => {
                self.changed = true;
                self.due |= self.every_epochs > 0 && (report.epoch + 1).is_multiple_of(self.every_epochs);
            }
            Event::End { .. } => {
                self.finish_writing(true, training);
                self.ended = true;
                self.due = self.changed;
            }
            Event::Skipped { .. } => self.changed = true,
            _ => {}
        }
        if self.due {
            self.finish_writing(false, training);
            if self.writer.0.is_none() {
                training.request_checkpoint();
            }
        }
        ControlFlow::Continue(())
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint) -> Result<(), FileError> {
        (self.due, self.changed) = (false, false);
        self.begun = Instant::now();
        let Self { path, keep, .. } = self;
        if !self.ended {
            let (path, keep, checkpoint) = (path.clone(), *keep, checkpoint.clone());
            let writing = thread::Builder::new().name("chainrule-checkpoint".into());
            if let Ok(writer) = writing.spawn(move || checkpoint.write_keeping(path, keep)) {
                self.writer.0 = Some(writer);
                return Ok(());
            }
        }
        match checkpoint.write_keeping(path, *keep) {
            // That was said.
            Err(_) if self.failed => Ok(()),
            written => written,
        }
    }
}

/// The thread that writes a file, if there is one.
#[derive(Debug)]
struct Writer(Option<JoinHandle<Result<(), FileError>>>);

impl Drop for Writer {
    fn drop(&mut self) {
        // After a panic a file may still be written: it is not cut off.
        if let Some(writer) = self.0.take() {
            let _ = writer.join();
        }
    }
}
