//! Files that grow.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Destination, There};

/// Opens a file to which rows are appended, as a log, and returns it with its length: that of the file, but at most `length`, after
/// which it is cut off.
///
/// As with [`write()`](super::write()), symbolic links are followed, a device, a pipe or a socket is written to and has no length,
/// `/dev/stdout` and `/dev/stderr` are the outputs of this program, and a disk is refused.
///
/// ```
/// use std::io::Write;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("log.csv");
/// std::fs::write(&path, "epoch,loss\n1,0.5\n2,0")?;
/// let (mut file, length) = chainrule_data::output::append(&path, 17)?;
/// writeln!(file, "2,0.25")?;
/// assert_eq!(length, 17);
/// assert_eq!(std::fs::read_to_string(&path)?, "epoch,loss\n1,0.5\n2,0.25\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error.
pub fn append(path: &Path, length: u64) -> io::Result<(Appended, u64)> {
    match Destination::of(path)? {
        Destination::Replace(target) => {
            let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&target.path)?;
            let length = length.min(file.metadata()?.len());
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok((Appended(Kind::File(file)), length))
        }
        Destination::Through(There::Path) => {
            Ok((Appended(Kind::File(OpenOptions::new().append(true).open(path)?)), 0))
        }
        Destination::Through(There::Output) => Ok((Appended(Kind::Output), 0)),
        Destination::Through(There::Errors) => Ok((Appended(Kind::Errors), 0)),
    }
}

/// What [`append`] has opened.
#[derive(Debug)]
pub struct Appended(Kind);

#[derive(Debug)]
enum Kind {
    File(File),
    Output,
    Errors,
}

impl Write for Appended {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.0 {
            Kind::File(file) => file.write(bytes),
            Kind::Output => io::stdout().write(bytes),
            Kind::Errors => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Kind::File(file) => file.flush(),
            Kind::Output => io::stdout().flush(),
            Kind::Errors => io::stderr().flush(),
        }
    }
}
