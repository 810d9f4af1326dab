//! What xtask prints, though the reader may be gone or the disk full, where `println!` would panic.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something could not be printed for which there was a reader.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints a line to standard output. A reader that is gone has read what it wanted; another error is told once, and
/// [`complete`] is false from then on.
pub(crate) fn out(line: impl Display) {
    let mut out = io::stdout().lock();
    let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) else { return };
    if error.kind() != ErrorKind::BrokenPipe && !LOST.swap(true, Ordering::Relaxed) {
        note(format_args!("error: cannot write to standard output: {error}"));
    }
}

/// Prints a line to standard error. If that cannot be done, there is nowhere to say so.
pub(crate) fn note(line: impl Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Whether everything was printed that had a reader.
pub(crate) fn complete() -> bool {
    !LOST.load(Ordering::Relaxed)
}
