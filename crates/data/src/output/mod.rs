//! Writing files: whole or not at all.
//!
//! Everything that chainrule writes goes through [`write()`]: models, checkpoints, data sets, reports, charts; and logs, which grow,
//! through [`append`]. A program may be
//! killed and a disk may be full at any moment, so a file is replaced only by one that is complete.

mod append;
mod target;

use std::ffi::OsStr;
use std::fs::{self, Metadata, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

pub use append::{Appended, append};
use target::Target;

/// The most symbolic links that lead to a file, as in Linux.
const LINKS: usize = 40;

/// Writes a file by the calls that `contents` makes.
///
/// - A regular file, or a new one, is replaced as a whole: by a temporary file in the same directory, which is synced and
///   renamed, and the directory is synced. After an error, or if the program is killed, the old file is unchanged. Owner and
///   mode of an existing file are kept as far as the system permits, and a file that is write-protected is not replaced.
/// - The temporary file is called as its target with eight characters and `.tmp` appended, such as
///   `model.chainrule.k3v9x2ma.tmp`. One that a killed program has left is removed when the same target is written again.
/// - Symbolic links are followed. Other names of the file (hard links) keep the old contents.
/// - A device, a pipe or a socket is never replaced but written to, and so are `/dev/stdout` and `/dev/stderr`. A disk is
///   refused.
///
/// ```
/// use std::io::Write;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("report.txt");
/// chainrule_data::output::write(&path, |file| writeln!(file, "accuracy 0.97"))?;
/// assert_eq!(std::fs::read_to_string(&path)?, "accuracy 0.97\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error, or that of `contents`.
pub fn write(path: &Path, contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    write_keeping(path, 1, contents)
}

/// As [`write()`], and keeps the last `keep` files of this name, the new one included: the file before is there with `.1` appended to
/// its name, the one before that with `.2`. Others with larger numbers are not touched.
///
/// Also after an error, or if the program is killed, there is a complete file of this name, if there was one. The older ones are moved
/// only when the new one is complete.
///
/// # Errors
///
/// As [`write()`].
pub fn write_keeping(
    path: &Path,
    keep: usize,
    contents: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    match Destination::of(path)? {
        Destination::Replace(target) => {
            let mut out = BufWriter::new(target.temporary()?);
            contents(&mut out)?;
            target.replace(out.into_inner().map_err(io::IntoInnerError::into_error)?, keep)
        }
        Destination::Through(there) => there.write(path, contents),
    }
}

/// As [`write_keeping`], for a file that begins with a header of `N` bytes that are known only when the rest is written, such as a
/// checksum: `body` writes the rest and returns the header.
///
/// Where one cannot go back, as in a pipe, `body` is called twice, the first time with a writer that keeps nothing. It has to write
/// the same bytes.
///
/// ```
/// use std::io::Write;
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("text");
/// chainrule_data::output::write_with_header(&path, 1, |file| {
///     file.write_all(b"abc")?;
///     Ok([3])
/// })?;
/// assert_eq!(std::fs::read(&path)?, b"\x03abc");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
///
/// The system's error, or that of `body`.
pub fn write_with_header<const N: usize>(
    path: &Path,
    keep: usize,
    mut body: impl FnMut(&mut dyn Write) -> io::Result<[u8; N]>,
) -> io::Result<()> {
    match Destination::of(path)? {
        Destination::Replace(target) => {
            let mut out = BufWriter::new(target.temporary()?);
            out.write_all(&[0; N])?;
            let header = body(&mut out)?;
            out.rewind()?;
            out.write_all(&header)?;
            target.replace(out.into_inner().map_err(io::IntoInnerError::into_error)?, keep)
        }
        Destination::Through(there) => {
            let header = body(&mut io::sink())?;
            there.write(path, |file| {
                file.write_all(&header)?;
                body(file).map(drop)
            })
        }
    }
}

/// Checks whether [`write()`] could write this file now, so that a long computation does not begin in vain. It changes nothing,
/// except that temporary files left by a killed program are
/// removed.
///
/// # Errors
///
/// The system's error.
pub fn check(path: &Path) -> io::Result<()> {
    match Destination::of(path)? {
        Destination::Replace(target) => target.temporary().map(drop),
        Destination::Through(_) => Ok(()),
    }
}

/// Whether what is written to this path goes to the standard output of this program, so that nothing else should be printed there.
pub fn is_standard_output(path: &Path) -> bool {
    matches!(Destination::of(path), Ok(Destination::Through(There::Output)))
}

/// Gives a complete file its name, in place of a file that may exist.
#[cfg(feature = "download")]
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let to = follow(to)?;
    fs::rename(from, &to)?;
    target::sync_directory(&directory_of(&to))
}

/// What writing to a path means.
enum Destination {
    /// Replacing a regular file, or making a new one.
    Replace(Box<Target>),
    /// Writing to what is there.
    Through(There),
}

/// What is written to, and never replaced.
enum There {
    /// What the path leads to, which is no regular file, or is open in this program.
    Path,
    /// The standard output of this program.
    Output,
    /// The standard error of this program.
    Errors,
}

impl There {
    fn write(self, path: &Path, contents: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        match self {
            Self::Path => {
                let mut out = BufWriter::new(OpenOptions::new().append(true).open(path)?);
                contents(&mut out)?;
                out.flush()
            }
            Self::Output => {
                let mut out = io::stdout().lock();
                contents(&mut out)?;
                out.flush()
            }
            Self::Errors => contents(&mut io::stderr().lock()),
        }
    }
}

impl Destination {
    fn of(path: &Path) -> io::Result<Self> {
        let target = follow(path)?;
        match descriptor(&target) {
            Some(1) => return Ok(Self::Through(There::Output)),
            Some(2) => return Ok(Self::Through(There::Errors)),
            Some(_) => return Ok(Self::Through(There::Path)),
            None => {}
        }
        let existing = match fs::metadata(path) {
            Ok(existing) => Some(existing),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let names_directory = target.as_os_str().as_encoded_bytes().ends_with(b"/");
        if names_directory || existing.as_ref().is_some_and(Metadata::is_dir) {
            return Err(io::Error::new(
                io::ErrorKind::IsADirectory,
                "it is a directory: give the name of a file",
            ));
        }
        if let Some(existing) = existing.as_ref().filter(|existing| !existing.is_file()) {
            refuse_disk(existing)?;
            return Ok(Self::Through(There::Path));
        }
        if existing.is_some() {
            // Whoever may not write to the file may not replace it either, although the system would allow that.
            OpenOptions::new().write(true).open(&target)?;
        }
        let name = target.file_name().map(OsStr::to_owned).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "it does not end with the name of a file: add one")
        })?;
        let directory = directory_of(&target);
        Ok(Self::Replace(Box::new(Target { directory, name, path: target, existing })))
    }
}

/// The file that the symbolic links at this path lead to, whether it exists or not. It stops at a file descriptor of this
/// program, which looks like a link.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        if !is_link || descriptor(&path).is_some() {
            return Ok(path);
        }
        let link = fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    Err(io::Error::other("too many symbolic links lead to it: give the name of the file itself"))
}

/// The number of the file descriptor of this program that a path stands for, such as `/dev/fd/1` or `/proc/self/fd/1`.
fn descriptor(path: &Path) -> Option<u32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let directory = path.parent()?;
    let is_named = directory == Path::new("/dev/fd") || directory == Path::new("/proc/self/fd");
    (is_named || directory == Path::new(&format!("/proc/{}/fd", std::process::id()))).then_some(number)
}

fn directory_of(file: &Path) -> PathBuf {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(unix)]
fn refuse_disk(existing: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    if existing.file_type().is_block_device() {
        let message = "it is a disk, whose contents would be lost: give the name of a file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_disk(_: &Metadata) -> io::Result<()> {
    Ok(())
}
