//! The keys of arrays in the section `data`.

use std::path::{Path, PathBuf};

use crate::error::ConfigError;
use crate::location::Located;
use crate::section::ConfigSection;

/// Arrays of NumPy.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ArraySection {
    /// The file: an archive, `.npz`, or the array of the samples, `.npy`.
    pub path: PathBuf,
    /// The array of the samples in an archive.
    pub inputs: String,
    /// The array of the targets in an archive, or the file of them, `.npy`.
    pub target: Located<String>,
    /// Whether targets are classes; without it, one whole number for each sample is.
    pub classes: Option<bool>,
    /// Whether targets that are numbers are scaled to deviation 1 while they are learnt.
    pub scale_targets: bool,
    /// What the samples are divided by.
    pub divide_by: f64,
    /// Whether the samples are read at once, instead of while they are trained on; without it, those of a `.npy` file of up to 256 MiB are.
    pub in_memory: Option<bool>,
}

impl ArraySection {
    pub(crate) fn of(section: &ConfigSection<'_>) -> Result<Self, ConfigError> {
        let path = section.text("arrays")?.map(|path| path.value).unwrap_or_default();
        let is_archive = Path::new(&path).extension().is_some_and(|ending| ending == "npz");
        let default = || Located { value: "y".to_owned(), at: section.at.clone() };
        let target = match section.text("target")? {
            Some(target) => target,
            None if is_archive => default(),
            None => return Err(section.missing("target", "the .npy file of the targets")),
        };
        let divide_by = section.number("divide_by")?;
        if let Some(Located { value: 0.0, at }) = divide_by {
            let (key, found) = (section.path("divide_by"), "0".to_owned());
            return Err(ConfigError::Value {
                at,
                key,
                found,
                allowed: "a number other than 0, such as 255".to_owned(),
            });
        }
        let in_memory = section.flag("in_memory")?;
        if is_archive && in_memory == Some(false) {
            let at = section.at.clone();
            let problem = "the samples of an archive are read at once: save them as a .npy file for `in_memory = false`".to_owned();
            return Err(ConfigError::Contradiction { at, problem });
        }
        Ok(Self {
            path: path.into(),
            in_memory,
            inputs: section.text("inputs")?.map_or_else(|| "x".to_owned(), |inputs| inputs.value),
            target,
            classes: crate::data_section::target_kind(section)?,
            scale_targets: section.flag("scale_targets")?.unwrap_or(false),
            divide_by: divide_by.map_or(1.0, |number| number.value),
        })
    }

    /// Whether samples and targets are in one file.
    pub(crate) fn is_archive(&self) -> bool {
        is_archive(&self.path)
    }

    /// The archive, or the file of the samples and that of the targets.
    pub(crate) fn files(&self) -> Vec<&Path> {
        let target = (!self.is_archive()).then(|| Path::new(&self.target.value));
        std::iter::once(&*self.path).chain(target).collect()
    }

    /// Takes the file of the targets, if it is one of its own, for one in this directory.
    pub(crate) fn resolve_target(&mut self, directory: &Path) {
        if !self.is_archive() {
            self.target.value = directory.join(&self.target.value).display().to_string();
        }
    }
}

/// Whether a file is an archive of several arrays.
pub(crate) fn is_archive(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "npz")
}
