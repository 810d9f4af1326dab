//! Finding a data set on this machine.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// The environment variable that names a directory with data sets.
pub const VARIABLE: &str = "CHAINRULE_DATA";

/// The directory that holds the data set `name`; `complete` says whether a directory does.
///
/// It searches the `explicit` directory if there is one, else the one in `CHAINRULE_DATA`, else the cache directory of
/// this platform; in each case the directory itself and its subdirectory `name`. If the user named a directory and the
/// data is not in it, that is an error.
///
/// # Errors
///
/// [`NotFound`] with the directories that were searched.
pub fn locate(
    name: &str,
    explicit: Option<&Path>,
    complete: impl Fn(&Path) -> bool,
) -> Result<PathBuf, NotFound> {
    let variable = || env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
    let named = explicit.map(Path::to_owned).or_else(variable);
    let searched = match &named {
        Some(directory) => vec![directory.clone(), directory.join(name)],
        None => cache(name).into_iter().collect(),
    };
    match searched.iter().find(|directory| complete(directory)) {
        Some(directory) => Ok(directory.clone()),
        None => Err(NotFound { name: name.to_owned(), searched, named: named.is_some() }),
    }
}

/// The directory of the data set `name` in this platform's cache; `None` if there is no home directory.
pub fn cache(name: &str) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        // The XDG specification says to ignore relative paths.
        let cache = variable("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        cache.or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("chainrule").join(name))
}

/// A data set that is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotFound {
    name: String,
    searched: Vec<PathBuf>,
    named: bool,
}

impl NotFound {
    /// Whether the user named the directory, so that another directory or a download would not be what they meant.
    pub fn is_named(&self) -> bool {
        self.named
    }
}

impl fmt::Display for NotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.searched.is_empty() {
            write!(f, "this system has no cache directory with the files of {}", self.name)?;
        } else {
            write!(f, "the files of {} are not in", self.name)?;
        }
        for (index, directory) in self.searched.iter().enumerate() {
            write!(f, "{} {}", if index > 0 { " or" } else { "" }, directory.display())?;
        }
        write!(f, ": put them there, or give their directory with --data-dir or {VARIABLE}")
    }
}

impl std::error::Error for NotFound {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_in_the_directory_and_below() {
        let directory = tempfile::tempdir().unwrap();
        let has = |place: &Path| place.join("file").is_file();
        let missing = locate("set", Some(directory.path()), has).unwrap_err();
        assert!(missing.is_named());
        assert!(missing.to_string().contains("--data-dir"), "{missing}");
        let below = directory.path().join("set");
        std::fs::create_dir(&below).unwrap();
        std::fs::write(below.join("file"), "").unwrap();
        assert_eq!(locate("set", Some(directory.path()), has), Ok(below.clone()));
        assert_eq!(locate("set", Some(&below), has), Ok(below));
    }
}
