//! What the program prints, though the reader may be gone or the disk full.
//!
//! `println!` panics where standard output is closed or full, as behind `| head` or `> /dev/full`.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write, stderr, stdout};
use std::path::Path;

use chainrule::data::output;

/// Prints a line to standard output.
///
/// A reader that is gone has read what it wanted, so that is no error.
///
/// # Errors
///
/// If it cannot be written for another reason, such as a full disk.
pub fn print(line: impl Display) -> io::Result<()> {
    print_to(&mut stdout().lock(), line)
}

/// Prints a line about a file that was written: to standard error if the file is standard output.
///
/// # Errors
///
/// As [`print()`].
pub fn print_about(file: &Path, line: impl Display) -> io::Result<()> {
    if output::is_standard_output(file) {
        note(line);
        return Ok(());
    }
    print(line)
}

fn print_to(out: &mut impl Write, line: impl Display) -> io::Result<()> {
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))),
        Ok(()) => Ok(()),
    }
}

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Does something of which this thread prints no [notes](note): another process prints them.
pub fn quietly<R>(work: impl FnOnce() -> R) -> R {
    let before = IS_QUIET.replace(true);
    let result = work();
    IS_QUIET.set(before);
    result
}

/// Prints a line to standard error. If that cannot be done, there is nowhere to say so.
pub fn note(line: impl Display) {
    if IS_QUIET.get() {
        return;
    }
    // One call of the system, so that lines of several programs do not mix.
    let _ = stderr().write_all(format!("{line}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that fails in this way.
    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_no_error() {
        assert!(print_to(&mut Broken(ErrorKind::BrokenPipe), "line").is_ok());
        let error = print_to(&mut Broken(ErrorKind::StorageFull), "line").unwrap_err();
        assert!(error.to_string().contains("standard output"), "{error}");
        let mut kept = Vec::new();
        print_to(&mut kept, format_args!("{} lines", 2)).unwrap();
        assert_eq!(kept, b"2 lines\n");
    }
}
