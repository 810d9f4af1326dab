//! Telling callbacks of events, and doing what they ask for.

use std::mem::take;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use chainrule_tensor::Real;

use super::Trainer;
use super::callback::Event;
use super::error::TrainError;
use super::history::History;
use super::requests::Requests;
use super::view::TrainerView;
use super::warning::TrainWarning;
use super::wishes::Wishes;

impl<T: Real, Y: Clone + Send + Sync> Trainer<T, Y> {
    /// Tells all callbacks, and does what they ask for; breaks if one of them does.
    pub(super) fn tell(&mut self, event: &Event<'_>) -> Result<ControlFlow<()>, TrainError> {
        self.tell_of(|_, tell| tell(event))
    }

    /// Tells all callbacks that a step begins; breaks if one of them does. What they ask for in a group is told with the losses of the step, and
    /// [done](Self::do_as_told) then.
    pub(super) fn tell_batch(&mut self, event: &Event<'_>) -> Result<ControlFlow<()>, TrainError> {
        if self.state.members.is_none() {
            return self.tell(event);
        }
        let wishes = self.call(|_, tell| tell(event));
        if self.state.requests.error.is_some() {
            self.fulfil()?;
        }
        self.state.of_group.own_wishes = wishes;
        Ok(ControlFlow::Continue(()))
    }

    /// Does what callbacks of any member have asked for where a step began, which was told with its losses; breaks if one of them does. Whether
    /// the pass is to be repeated, with other parameters.
    pub(super) fn do_as_told(&mut self) -> Result<ControlFlow<(), bool>, TrainError> {
        let wishes = std::mem::take(&mut self.state.of_group.wishes);
        let Some(members) = self.state.members.clone() else { return Ok(ControlFlow::Continue(false)) };
        if wishes.iter().all(|wishes| *wishes == Wishes::default()) {
            self.state.of_group.wishes = wishes;
            // Warnings need no others.
            self.fulfil()?;
            return Ok(ControlFlow::Continue(false));
        }
        let flow = self.get_ready(&members, &wishes)?;
        self.fulfil_together(wishes.iter().any(|wishes| wishes.save))?;
        Ok(match flow {
            ControlFlow::Break(()) => ControlFlow::Break(()),
            ControlFlow::Continue(()) => ControlFlow::Continue(wishes[members.rank()].restore),
        })
    }

    /// As [`tell`](Self::tell), of an event that is made from the trainer.
    pub(super) fn tell_of(
        &mut self,
        make: impl FnOnce(&Self, &mut dyn FnMut(&Event<'_>)),
    ) -> Result<ControlFlow<()>, TrainError> {
        if self.callbacks.is_empty() && self.state.members.is_none() {
            return Ok(ControlFlow::Continue(()));
        }
        let wishes = self.call(make);
        let mut flow = if wishes.stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        // An error is told to the others where the training ends.
        if self.state.members.is_some() && !self.state.has_ended && self.state.requests.error.is_none() {
            let (agreed, any_saves) = self.agree(wishes)?;
            flow = agreed;
            self.fulfil_together(any_saves)?;
        } else {
            self.fulfil()?;
        }
        Ok(flow)
    }

    /// Calls all callbacks; returns what they ask for.
    fn call(&mut self, make: impl FnOnce(&Self, &mut dyn FnMut(&Event<'_>))) -> Wishes {
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let mut requests = std::mem::take(&mut self.state.requests);
        let mut stop = false;
        let this = &*self;
        let mut tell = |event: &Event<'_>| {
            for (index, callback) in callbacks.iter_mut().enumerate() {
                requests.checkpoint = false;
                let mut view = TrainerView { trainer: this, requests: &mut requests };
                stop |= callback.on(event, &mut view).is_break();
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
        let Requests { restore, save, wanting, .. } = &self.state.requests;
        Wishes { stop, save: !save.is_empty() || !wanting.is_empty(), restore: restore.is_some() }
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

    /// As [`fulfil`](Self::fulfil), where all members do so: what one saves does not change meanwhile.
    fn fulfil_together(&mut self, any_saves: bool) -> Result<(), TrainError> {
        self.save_as_told();
        self.wait_for_saving(any_saves)?;
        self.fulfil()
    }

    /// Does what callbacks have asked for: checkpoints before anything else, so that they are of the training as they saw it.
    fn fulfil(&mut self) -> Result<(), TrainError> {
        self.save_as_told();
        let Requests { restore, error, .. } = &self.state.requests;
        if restore.is_none() && error.is_none() {
            return Ok(());
        }
        let Requests { restore, error, .. } = std::mem::take(&mut self.state.requests);
        if let Some(snapshot) = restore {
            self.restore_weights(&snapshot)?;
        }
        error.map_or(Ok(()), Err)
    }

    /// Prints the warnings and writes the checkpoints that callbacks have asked for.
    fn save_as_told(&mut self) {
        let Requests { save, wanting, warnings, .. } = &mut self.state.requests;
        if save.is_empty() && wanting.is_empty() && warnings.is_empty() {
            return;
        }
        let (save, wanting, warnings) = (take(save), take(wanting), take(warnings));
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
    }
}
