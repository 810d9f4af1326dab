//! Telling callbacks of events, and doing what they ask for.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use chainrule_tensor::Real;

use super::Trainer;
use super::callback::Event;
use super::error::TrainError;
use super::group::Wishes;
use super::history::History;
use super::requests::Requests;
use super::view::TrainerView;
use super::warning::TrainWarning;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Tells all callbacks, and does what they ask for; breaks if one of them does.
    pub(super) fn tell(&mut self, event: &Event<'_>) -> Result<ControlFlow<()>, TrainError> {
        self.tell_of(|_, tell| tell(event))
    }

    /// As [`tell`](Self::tell), of an event that is made from the trainer.
    pub(super) fn tell_of(
        &mut self,
        make: impl FnOnce(&Self, &mut dyn FnMut(&Event<'_>)),
    ) -> Result<ControlFlow<()>, TrainError> {
        if self.callbacks.is_empty() && self.state.members.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let mut requests = std::mem::take(&mut self.state.requests);
        let mut flow = ControlFlow::Continue(());
        let this = &*self;
        let mut tell = |event: &Event<'_>| {
            for (index, callback) in callbacks.iter_mut().enumerate() {
                requests.checkpoint = false;
                let mut view = TrainerView { trainer: this, requests: &mut requests };
                if callback.on(event, &mut view).is_break() {
                    flow = ControlFlow::Break(());
                }
                if requests.checkpoint {
                    requests.wanting.push(index);
                }
            }
        };
        // A callback may panic: the trainer keeps its callbacks all the same.
        let told = catch_unwind(AssertUnwindSafe(|| make(this, &mut tell)));
        self.callbacks = callbacks;
        self.state.requests = requests;
        told.unwrap_or_else(|panic| resume_unwind(panic));
        let Requests { restore, save, wanting, error, .. } = &self.state.requests;
        // An error is told to the others where the training ends.
        if self.state.members.is_some() && !self.state.has_ended && error.is_none() {
            let save = !save.is_empty() || !wanting.is_empty();
            let wishes = Wishes { stop: flow.is_break(), save, restore: restore.is_some() };
            flow = self.agree(wishes)?;
        }
        self.fulfil()?;
        Ok(flow)
    }

    /// Tells all callbacks that the training has ended, and how.
    pub(super) fn tell_end(
        &mut self,
        result: Result<(), TrainError>,
        history: History,
    ) -> Result<History, TrainError> {
        let error = result.as_ref().err();
        // What a callback asks for after an error is of no interest to other processes, which have one as well.
        self.state.has_ended = error.is_some();
        let told = self.tell(&Event::End { history: &history, error });
        self.state.has_ended = false;
        result?;
        // There is nothing left to stop.
        let _ = told?;
        Ok(history)
    }

    /// Does what callbacks have asked for: checkpoints before anything else, so that they are of the training as they saw it.
    fn fulfil(&mut self) -> Result<(), TrainError> {
        let Requests { restore, save, wanting, warnings, error, .. } = &self.state.requests;
        let nothing = wanting.is_empty() && save.is_empty() && warnings.is_empty();
        if nothing && restore.is_none() && error.is_none() {
            return Ok(());
        }
        let Requests { restore, save, wanting, warnings, error, .. } =
            std::mem::take(&mut self.state.requests);
        warnings.into_iter().for_each(|warning| self.warn(warning));
        if !wanting.is_empty() {
            let checkpoint = self.checkpoint();
            for index in wanting {
                let written = match &checkpoint {
                    Ok(checkpoint) => self.callbacks[index].checkpoint(checkpoint.clone()),
                    Err(error) => {
                        self.warn(TrainWarning::not_saved(error));
                        break;
                    }
                };
                if let Err(error) = written {
                    self.warn(TrainWarning::not_saved(&error));
                }
            }
        }
        for path in save {
            if let Err(error) = self.save(path) {
                self.warn(TrainWarning::not_saved(&error));
            }
        }
        self.state.gathered = None;
        if let Some(snapshot) = restore {
            self.restore_weights(&snapshot)?;
        }
        error.map_or(Ok(()), Err)
    }
}
