//! The files of a directory with a folder for each class.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::PictureError;

/// The classes and files of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Folders {
    /// The names of the classes, sorted.
    pub classes: Vec<String>,
    /// The files with their classes, class by class, each sorted by name.
    pub files: Vec<(PathBuf, u32)>,
}

impl Folders {
    /// Those of a directory. Hidden files and folders, and files whose names do not end as those of pictures do, are left out.
    ///
    /// # Errors
    ///
    /// [`PictureError`] if it has no folders, or one of them has no pictures.
    pub fn find(directory: &Path) -> Result<Self, PictureError> {
        let mut folders = entries(directory)?;
        folders.retain(|path| path.is_dir());
        if folders.is_empty() {
            return Err(PictureError::NoClasses { path: directory.to_owned() });
        }
        let mut found = Self { classes: Vec::new(), files: Vec::new() };
        for (class, folder) in (0..).zip(folders) {
            let mut files = entries(&folder)?;
            files.retain(|path| is_picture(path) && path.is_file());
            if files.is_empty() {
                return Err(PictureError::EmptyClass { path: folder });
            }
            let name = folder.file_name().unwrap_or_default();
            found.classes.push(name.to_string_lossy().into_owned());
            found.files.extend(files.into_iter().map(|file| (file, class)));
        }
        Ok(found)
    }
}

/// The pictures of a directory, or the file itself if the path is that of one.
pub(crate) fn pictures_of(path: &Path) -> Result<Vec<PathBuf>, PictureError> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = entries(path)?;
    files.retain(|path| is_picture(path) && path.is_file());
    if files.is_empty() { Err(PictureError::EmptyClass { path: path.to_owned() }) } else { Ok(files) }
}

/// What is in a directory and not hidden, sorted by the bytes of the names.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, PictureError> {
    let io = |source| PictureError::Io { path: directory.to_owned(), source };
    let mut names: Vec<OsString> = Vec::new();
    for entry in fs::read_dir(directory).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| a.as_encoded_bytes().cmp(b.as_encoded_bytes()));
    Ok(names.into_iter().map(|name| directory.join(name)).collect())
}

/// Whether a file has the name of a picture that can be read.
fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}
