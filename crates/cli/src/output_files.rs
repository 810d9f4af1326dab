//! The files that a training writes.

use std::fs;
use std::io;
use std::path::Path;

use chainrule::data::output;
use chainrule::train::file;

/// Checks before a training whether the files that these options name can be written, and are different ones.
pub(crate) fn check(files: &[(&str, Option<&Path>)]) -> Result<(), String> {
    for path in files.iter().filter_map(|(_, path)| *path) {
        output::check(path).map_err(|error| cannot_write(path, &error))?;
    }
    for (index, (name, path)) in files.iter().enumerate() {
        let Some(path) = path else { continue };
        let replaced = path.is_file() || !path.exists();
        let same = files[index + 1..].iter().find(|(_, other)| *other == Some(path));
        if let Some((other, _)) = same.filter(|_| replaced) {
            return Err(format!("--{name} and --{other} are both {}: choose two files", path.display()));
        }
    }
    Ok(())
}

/// Checks that none of the files that these options name is one of those that are read, which would be lost.
pub(crate) fn check_inputs(files: &[(&str, Option<&Path>)], inputs: &[&Path]) -> Result<(), String> {
    for (name, path) in files {
        let Some(path) = path.filter(|path| path.is_file()) else { continue };
        if inputs.iter().any(|input| are_same(path, input)) {
            return Err(format!(
                "--{name} would replace {}, which is read: choose another file",
                path.display()
            ));
        }
    }
    Ok(())
}

/// An error if a file that is made from another one is that one.
pub(crate) fn check_source(written: &Path, read: &Path) -> Result<(), String> {
    if are_same(written, read) {
        return Err(format!(
            "{} would be replaced by what is made from it: choose another file",
            read.display()
        ));
    }
    Ok(())
}

/// Whether both are the same file, by whatever names.
fn are_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

pub(crate) fn cannot_write(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

/// Removes the checkpoints of a training whose model is saved. What cannot be removed stays.
pub(crate) fn remove_checkpoints(path: &Path, keep: u32) {
    let kept = file::numbered(path).into_iter().filter(|(number, _)| *number < keep).map(|(_, path)| path);
    // The oldest first, so that the newest is there as long as any is.
    for path in kept.collect::<Vec<_>>().into_iter().rev().chain([path.to_owned()]) {
        let _ = fs::remove_file(path);
    }
}
