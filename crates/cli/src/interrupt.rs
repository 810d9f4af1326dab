//! Ctrl-C, a terminal that is closed, and being asked to end: the step is finished first.

use std::io;
use std::ops::ControlFlow;
#[cfg(unix)]
use std::process::Command;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chainrule::tensor::Real;
use chainrule::train::{Callback, Event, TrainerView};
#[cfg(unix)]
use signal_hook::consts::SIGHUP;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The signals that ask a program to end, and what a shell calls them.
const SIGNALS: &[(i32, &str)] = &[
    (SIGINT, "Ctrl-C"),
    (SIGTERM, "SIGTERM"),
    #[cfg(unix)]
    (SIGHUP, "SIGHUP"),
];

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
        for &(number, _) in SIGNALS {
            #[cfg(unix)]
            if number == SIGHUP && ignores_hangups() {
                continue;
            }
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
        let (number, name) = SIGNALS.iter().find(|(number, _)| *number as usize == signal)?;
        Some((name, ExitCode::from(128 + *number as u8)))
    }
}

/// Whether this program goes on when its terminal is closed, as under `nohup`: what it ignores, a program that it starts does too.
#[cfg(unix)]
fn ignores_hangups() -> bool {
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => {
            let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
            let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
            ignored.is_some_and(|mask| mask >> (SIGHUP - 1) & 1 == 1)
        }
        Err(_) => {
            Command::new("sh").args(["-c", "kill -HUP $$"]).status().is_ok_and(|status| status.success())
        }
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
