//! Ctrl-C, and being asked to end: the step is finished first.

use std::io;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chainrule::tensor::Real;
use chainrule::train::{Callback, Event, TrainerView};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The signals that ask a program to end, and what a shell calls them.
const SIGNALS: [(i32, &str); 2] = [(SIGINT, "Ctrl-C"), (SIGTERM, "SIGTERM")];

/// Whether the program was asked to end. A callback, which then stops the training after the step.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt {
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// From now on the first signal is noted, and the second ends the program at once, as it would by default.
    pub(crate) fn watch() -> io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let noted = Arc::new(AtomicBool::new(false));
        for (number, _) in SIGNALS {
            // In this order, so that the first one finds that none was noted.
            flag::register_conditional_default(number, Arc::clone(&noted))?;
            flag::register(number, Arc::clone(&noted))?;
            flag::register_usize(number, Arc::clone(&signal), number as usize)?;
        }
        Ok(Self { signal })
    }

    /// What has asked the program to end, and the exit code that says so.
    pub(crate) fn by(&self) -> Option<(&'static str, ExitCode)> {
        let signal = self.signal.load(Ordering::Relaxed);
        let (number, name) = SIGNALS.into_iter().find(|(number, _)| *number as usize == signal)?;
        Some((name, ExitCode::from(128 + number as u8)))
    }
}

impl Interrupt {
    /// The exit code of a process that has stopped since another one was asked to end.
    pub(crate) fn of_other() -> ExitCode {
        ExitCode::from(128 + SIGTERM as u8)
    }
}

impl<T: Real> Callback<T> for Interrupt {
    fn on(&mut self, event: &Event<'_>, _: &mut TrainerView<'_, T>) -> ControlFlow<()> {
        let at_a_step = matches!(event, Event::Step { .. } | Event::Skipped { .. });
        if at_a_step && self.by().is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
