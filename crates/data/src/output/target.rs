//! A regular file that is replaced by a temporary one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The end of the name of a temporary file, after the name of its target and [`RANDOM`] characters.
const ENDING: &str = ".tmp";

/// The number of random characters in the name of a temporary file.
const RANDOM: usize = 8;

/// The most bytes of the target's name that the name of its temporary file repeats: a name may have 255 bytes.
const LONGEST: usize = 200;

/// A regular file to be replaced, or a new one.
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) name: OsString,
    pub(super) existing: Option<Metadata>,
}

impl Target {
    /// A new temporary file with the owner and the mode that the target is to have.
    pub(super) fn temporary(&self) -> io::Result<Temporary> {
        let stem = stem(&self.name);
        remove_stale(&self.directory, &stem);
        loop {
            let path = self.directory.join(temporary_name(&stem));
            let file = match create(&path, self.existing.is_some()) {
                Ok(file) => file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let message = format!("there is no directory {}: create it", self.directory.display());
                    return Err(io::Error::new(error.kind(), message));
                }
                Err(error) => return Err(error),
            };
            // Whoever holds the lock is at work: others must not take the file for a stale one. Not all systems have locks.
            let _ = file.lock();
            let temporary = Temporary { file, path, removed: false };
            // Before it was locked, another program may have removed it.
            if temporary.path.exists() {
                if let Some(existing) = &self.existing {
                    keep_owner_and_mode(&temporary.file, existing)?;
                }
                return Ok(temporary);
            }
        }
    }

    /// Puts a temporary file in place of the target, and keeps the last `keep` files.
    pub(super) fn replace(&self, mut temporary: Temporary, keep: usize) -> io::Result<()> {
        temporary.file.sync_all()?;
        if keep > 1 && self.existing.is_some() {
            self.keep_older(keep)?;
        }
        fs::rename(&temporary.path, &self.path)?;
        temporary.removed = true;
        sync_directory(&self.directory)
    }
}

impl Target {
    /// The name of the file that was replaced this many files ago.
    fn older(&self, number: usize) -> PathBuf {
        let mut name = self.name.clone();
        name.push(format!(".{number}"));
        self.directory.join(name)
    }

    /// Gives the target its next name, `.1`, and those before it theirs. The target keeps its own name too, until it is replaced.
    fn keep_older(&self, keep: usize) -> io::Result<()> {
        let newest = self.older(1);
        if is_same_file(&self.path, &newest) {
            // The program was killed before the target was replaced.
            return Ok(());
        }
        for number in (1..keep - 1).rev() {
            match fs::rename(self.older(number), self.older(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // With a second name rather than another one, there is a file of the first name at any moment.
        let _ = fs::remove_file(&newest);
        if fs::hard_link(&self.path, &newest).is_err() {
            // Not all file systems have hard links.
            fs::rename(&self.path, &newest)?;
        }
        Ok(())
    }
}

/// Whether these are two names of one file.
#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    id(one).is_some() && id(one) == id(other)
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> bool {
    false
}

/// A file that is removed unless it was renamed.
pub(super) struct Temporary {
    file: File,
    path: PathBuf,
    removed: bool,
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Temporary {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.removed {
            // If it cannot be removed now, the next write of the same target tries again.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The beginning of the names of the temporary files of a target.
fn stem(name: &OsStr) -> OsString {
    let mut stem = name.to_owned();
    if stem.len() > LONGEST {
        let text = name.to_string_lossy();
        stem = text[..text.floor_char_boundary(LONGEST)].into();
    }
    stem.push(".");
    stem
}

fn temporary_name(stem: &OsStr) -> OsString {
    const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // The keys of a hash map are random.
    let mut random = RandomState::new().build_hasher().finish();
    let mut name = stem.to_owned();
    for _ in 0..RANDOM {
        let character = CHARACTERS[(random % 36) as usize];
        name.push(char::from(character).to_string());
        random /= 36;
    }
    name.push(ENDING);
    name
}

/// Whether this is a name that [`temporary_name`] could give.
fn is_temporary(name: &OsStr, stem: &OsStr) -> bool {
    let random = name
        .as_encoded_bytes()
        .strip_prefix(stem.as_encoded_bytes())
        .and_then(|rest| rest.strip_suffix(ENDING.as_bytes()));
    random.is_some_and(|random| {
        random.len() == RANDOM && random.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// Removes the temporary files that killed programs have left. What cannot be removed stays: it is no reason not to write.
fn remove_stale(directory: &Path, stem: &OsStr) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_temporary(&entry.file_name(), stem) {
            continue;
        }
        let path = entry.path();
        let Ok(file) = OpenOptions::new().read(true).write(true).open(&path) else { continue };
        // The system releases the lock of a program that has ended, however it ended.
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(&path);
        }
    }
}

#[cfg(unix)]
fn create(path: &Path, private: bool) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let mode = if private { 0o600 } else { 0o666 };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}

#[cfg(not(unix))]
fn create(path: &Path, _private: bool) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(unix)]
fn keep_owner_and_mode(file: &File, existing: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
    let new = file.metadata()?;
    let mut mode = existing.permissions().mode() & 0o7777;
    if (new.uid(), new.gid()) != (existing.uid(), existing.gid())
        && fchown(file, Some(existing.uid()), Some(existing.gid())).is_err()
    {
        // Not permitted; perhaps the group is. To run as an owner is not passed on to another one.
        mode &= 0o777;
        if fchown(file, None, Some(existing.gid())).is_err() {
            // What the old group may do is for the new group only if it is for all.
            mode &= 0o707 | (mode & 0o007) << 3;
        }
    }
    match file.set_permissions(fs::Permissions::from_mode(mode)) {
        // A file system without modes.
        Err(error)
            if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) =>
        {
            Ok(())
        }
        result => result,
    }
}

#[cfg(not(unix))]
fn keep_owner_and_mode(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// Makes the names in a directory permanent. Without it, a loss of power may undo a rename that has returned.
#[cfg(unix)]
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // A directory that may not be read, or a file system that has nothing to sync.
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        result => result,
    }
}

#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_recognised() {
        for name in ["model", "a.b.chainrule", "ü", "x.tmp", &"n".repeat(255), &"ä".repeat(127)] {
            let stem = stem(OsStr::new(name));
            let temporary = temporary_name(&stem);
            assert!(temporary.len() <= 255 && is_temporary(&temporary, &stem), "{temporary:?}");
            assert_ne!(temporary, temporary_name(&stem));
        }
        let stem = stem(OsStr::new("model"));
        for other in
            ["model", "model.tmp", "model.backup.tmp", "model.abcdefg1.tmp.gz", "models.abcdefg1.tmp"]
        {
            assert!(!is_temporary(OsStr::new(other), &stem), "{other}");
        }
        assert!(is_temporary(OsStr::new("model.abcdefg1.tmp"), &stem));
    }
}
