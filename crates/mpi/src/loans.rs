//! Messages whose memory is borrowed while they are sent.

use std::cell::RefCell;
use std::marker::PhantomData;

use chainrule_train::{GroupError, Lender, TrainError};

use crate::group::{BRIEF, FAILED, MpiGroup, closed};
use crate::port::{Closed, Tag};
use crate::sending::Sending;

/// Sends messages from where they are. Where it cannot wait until they were sent, it ends the job.
pub(crate) struct Loans<'a, 'env> {
    group: &'a MpiGroup,
    /// To whom, and what.
    sending: RefCell<Vec<(usize, Sending)>>,
    /// What is lent is borrowed for exactly so long.
    lent: PhantomData<RefCell<&'env [u8]>>,
}

impl<'a, 'env> Loans<'a, 'env> {
    /// Calls `work`, and returns when all was sent that it has lent.
    pub(crate) fn run(
        group: &'a MpiGroup,
        work: impl FnOnce(&dyn Lender<'env>) -> Result<(), GroupError>,
    ) -> Result<(), GroupError> {
        let mut loans = Self { group, sending: RefCell::default(), lent: PhantomData };
        let result = work(&loans);
        let patience = if result.is_ok() { group.patience } else { BRIEF };
        for (to, sending) in loans.sending.get_mut() {
            if let Err(error) = group.wait(*to, patience, |_| Ok(sending.finish().map(|_| ()))) {
                // MPI may still read the memory, which the caller is going to use.
                let error = TrainError::from(result.err().unwrap_or(error));
                group.abort_with(&error, || eprintln!("error: {error}"));
            }
        }
        loans.sending.get_mut().clear();
        result
    }
}

impl<'env> Lender<'env> for Loans<'_, 'env> {
    fn send(&self, to: usize, kind: u8, message: &'env [u8]) -> Result<(), GroupError> {
        if let Some(place) = self.group.place_for(to, message) {
            return self.group.send_place(to, kind, place);
        }
        self.group.check_length(to, message.len())?;
        let calls = self.group.port.lock();
        // SAFETY: the memory is borrowed for `'env`, which does not end before `run` does, and that does not return, by a panic neither, before
        // all was sent.
        let sending = calls.start(to, |to| unsafe { Sending::lent(to, Tag::of(kind), message) });
        let sending = sending.map_err(|Closed| closed(to))?;
        self.sending.borrow_mut().push((to, sending));
        Ok(())
    }
}

impl Drop for Loans<'_, '_> {
    fn drop(&mut self) {
        if !self.sending.get_mut().is_empty() {
            // By a panic: the memory may be freed next.
            self.group.abort(FAILED);
        }
    }
}
