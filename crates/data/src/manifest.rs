//! The data sets that can be downloaded.

use serde::Deserialize;

/// The files of the `datasets` folder, gathered by the build script.
const TEXTS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/manifests.rs"));

/// A data set that can be downloaded: one file of the `datasets` folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Its short name, such as `"mnist"`.
    pub name: String,
    /// Its full name.
    pub title: String,
    /// Its web page.
    pub homepage: String,
    /// The terms of its use.
    pub licence: String,
    /// How to cite it.
    pub citation: String,
    /// The addresses of folders with the files, tried in order.
    pub mirrors: Vec<String>,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

/// One file of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RemoteFile {
    /// Its name, which ends its address.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Every data set that can be downloaded.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Broken`] if this crate was built with a file that cannot be read.
    pub fn all() -> Result<Vec<Self>, ManifestError> {
        let broken = |name: &str, error: toml::de::Error| ManifestError::Broken {
            name: name.into(),
            error: error.to_string(),
        };
        TEXTS.iter().map(|(name, text)| toml::from_str(text).map_err(|error| broken(name, error))).collect()
    }

    /// The data set with this name.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Unknown`] with the known names.
    pub fn named(name: &str) -> Result<Self, ManifestError> {
        let all = Self::all()?;
        let known = || all.iter().map(|manifest| manifest.name.as_str()).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|manifest| manifest.name == name);
        found.cloned().ok_or_else(|| ManifestError::Unknown { name: name.into(), known: known() })
    }
}

/// A manifest that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// No data set has this name.
    #[error("no data set is called {name:?}: the known ones are {known}")]
    Unknown {
        /// The requested name.
        name: String,
        /// The known names.
        known: String,
    },
    /// A file of the `datasets` folder cannot be read.
    #[error("datasets/{name} is broken: {error}")]
    Broken {
        /// The file.
        name: String,
        /// What is wrong with it.
        error: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_is_complete() {
        let all = Manifest::all().unwrap();
        assert!(all.iter().any(|manifest| manifest.name == "mnist"));
        for manifest in all {
            assert!(manifest.mirrors.len() >= 2, "{}", manifest.name);
            for file in &manifest.files {
                assert!(file.size > 0, "{}: {}", manifest.name, file.name);
                let hexadecimal = file.sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
                assert!(hexadecimal && file.sha256.len() == 64, "{}: {}", manifest.name, file.name);
                // A name is a file in the directory, never a way out of it.
                assert!(!file.name.contains(['/', '\\', ':']), "{}: {}", manifest.name, file.name);
            }
        }
        assert!(Manifest::named("mnits").unwrap_err().to_string().contains("mnist"));
    }
}
