//! The data sets that can be downloaded.

use std::path::Path;

use serde::Deserialize;

use crate::cifar::{self, CifarError};
use crate::idx::{self, IdxError};
use crate::images::Images;

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
    /// How its files hold the samples.
    pub format: Format,
    /// What its classes are called, in the order of their numbers; empty if they have no names.
    #[serde(default)]
    pub classes: Vec<String>,
    /// The addresses of folders with the files, tried in order.
    pub mirrors: Vec<String>,
    /// Its files.
    pub files: Vec<RemoteFile>,
}

/// How the files of a data set hold its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// Pictures in four IDX files of MNIST's names: see [`Images::mnist`].
    Mnist,
    /// Pictures in the binary files of CIFAR-10: see [`Images::cifar10`].
    Cifar10,
    /// Pictures in the binary files of CIFAR-100: see [`Images::cifar100`].
    Cifar100,
    /// Pictures in four IDX files of EMNIST's names: see [`Images::emnist`].
    Emnist,
    /// A table, in one file.
    Table,
}

impl Format {
    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mnist => "mnist",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Emnist => "emnist",
            Self::Table => "table",
        }
    }
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
    /// If it is an archive (`.tar.gz`, `.tgz` or `.zip`), the files that are taken from it.
    #[serde(default)]
    pub holds: Vec<ArchivedFile>,
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchivedFile {
    /// Its name, without folders; in a `.zip`, `.gz` may follow, and then it is decompressed.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
}

impl RemoteFile {
    fn check(&self) -> Result<(), String> {
        let Self { name, size, sha256, holds } = self;
        check_name(name)?;
        if *size == 0 {
            return Err(format!("{name} has no bytes: give its size"));
        }
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!("{sha256:?} is not a SHA-256 of {name}: give its 64 hexadecimal digits"));
        }
        if !holds.is_empty() && ![".tar.gz", ".tgz", ".zip"].iter().any(|ending| name.ends_with(ending)) {
            return Err(format!("{name} cannot be unpacked: only files named .tar.gz, .tgz or .zip are"));
        }
        holds.iter().try_for_each(|file| check_name(&file.name))
    }
}

fn check_name(name: &str) -> Result<(), String> {
    let special = ["", ".", ".."].contains(&name);
    // A colon names a drive or a stream in Windows.
    if special || name.contains(['/', '\\', ':']) || name.contains(char::is_control) {
        return Err(format!("{name:?} is not the name of a file: remove directories and special characters"));
    }
    Ok(())
}

impl Manifest {
    /// Every data set that can be downloaded.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Broken`] if this crate was built with a file that cannot be read.
    pub fn all() -> Result<Vec<Self>, ManifestError> {
        let named = |name: &str, error| match error {
            ManifestError::Invalid(error) => ManifestError::Broken { name: name.into(), error },
            other => other,
        };
        TEXTS.iter().map(|(name, text)| Self::parse(text).map_err(|error| named(name, error))).collect()
    }

    /// Reads a manifest in TOML, with the fields of this struct.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] if it cannot be read, lists no mirrors or no files, or is refused by [`check`](Self::check).
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let manifest: Self =
            toml::from_str(text).map_err(|error| ManifestError::Invalid(error.to_string()))?;
        if manifest.mirrors.is_empty() || manifest.files.is_empty() {
            return Err(ManifestError::Invalid("it lists no mirrors or no files: add them".into()));
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Checks that each file has a size, a checksum, and the name of a file, which leads to no other directory.
    ///
    /// # Errors
    ///
    /// [`ManifestError::Invalid`] with the first file that cannot be used.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.files.iter().try_for_each(RemoteFile::check).map_err(ManifestError::Invalid)
    }

    /// Whether a directory has all of its files.
    pub fn is_complete(&self, directory: &Path) -> bool {
        match self.format {
            Format::Mnist => idx::is_mnist(directory),
            Format::Cifar10 => cifar::is_cifar10(directory),
            Format::Cifar100 => cifar::is_cifar100(directory),
            Format::Emnist => idx::is_emnist(directory),
            Format::Table => self.files.iter().all(|file| file.is_in(directory)),
        }
    }

    /// The pictures in a directory, to train and to test with; `None` if it is no data set of pictures.
    ///
    /// # Errors
    ///
    /// What the reader of its format says of the file that is missing or damaged.
    pub fn images(&self, directory: &Path) -> Option<Result<(Images, Images), ReadImagesError>> {
        match self.format {
            Format::Mnist => Some(Images::mnist(directory).map_err(ReadImagesError::from)),
            Format::Cifar10 => Some(Images::cifar10(directory).map_err(ReadImagesError::from)),
            Format::Cifar100 => Some(Images::cifar100(directory).map_err(ReadImagesError::from)),
            Format::Emnist => Some(Images::emnist(directory).map_err(ReadImagesError::from)),
            Format::Table => None,
        }
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

/// Pictures that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadImagesError {
    /// From IDX files.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// From files of CIFAR.
    #[error(transparent)]
    Cifar(#[from] CifarError),
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
    /// It cannot be read, or names what cannot be downloaded.
    #[error("the manifest is invalid: {0}")]
    Invalid(String),
    /// A file of the `datasets` folder cannot be read.
    #[error("datasets/{name} is broken: {error}")]
    Broken {
        /// The file.
        name: String,
        /// What is wrong with it.
        error: String,
    },
}

impl RemoteFile {
    /// Whether it is in a directory, or what it holds, if it is an archive.
    fn is_in(&self, directory: &Path) -> bool {
        match &self.holds[..] {
            [] => directory.join(&self.name).is_file(),
            held => held.iter().all(|file| directory.join(&file.name).is_file()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_in_an_archive_is_there_when_it_is_unpacked() {
        let houses = Manifest::named("california_housing").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str| std::fs::write(directory.path().join(name), "1,2\n").unwrap();
        write("cal_housing.tgz");
        assert!(!houses.is_complete(directory.path()));
        write("cal_housing.data");
        assert!(houses.is_complete(directory.path()));
    }

    /// The files of one data set are not those of another.
    #[test]
    fn mnist_is_no_emnist() {
        let [mnist, emnist] = ["mnist", "emnist"].map(|name| Manifest::named(name).unwrap());
        let directory = tempfile::tempdir().unwrap();
        for name in ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"] {
            std::fs::write(directory.path().join(format!("{name}-ubyte")), "").unwrap();
        }
        assert!(mnist.is_complete(directory.path()) && !emnist.is_complete(directory.path()));
        let error = emnist.images(directory.path()).unwrap().unwrap_err().to_string();
        assert!(error.contains("emnist-balanced-train-images"), "{error}");
    }

    #[test]
    fn every_manifest_is_complete() {
        let all = Manifest::all().unwrap();
        assert!(all.iter().any(|manifest| manifest.name == "mnist"));
        for manifest in all {
            assert_eq!(manifest.check(), Ok(()), "{}", manifest.name);
            let secure = manifest.mirrors.iter().filter(|mirror| mirror.starts_with("https://"));
            assert!(secure.count() > 0 || manifest.mirrors.len() > 1, "{}", manifest.name);
            for text in [&manifest.title, &manifest.homepage, &manifest.licence, &manifest.citation] {
                assert!(!text.is_empty(), "{}", manifest.name);
            }
            assert!(manifest.classes.len() != 1, "{}", manifest.name);
        }
        assert!(Manifest::named("mnits").unwrap_err().to_string().contains("mnist"));
    }

    #[test]
    fn what_cannot_be_downloaded_is_refused() {
        let good = Manifest::named("mnist").unwrap();
        assert_eq!(good.check(), Ok(()));
        let changed = |change: fn(&mut Manifest)| {
            let mut manifest = good.clone();
            change(&mut manifest);
            manifest.check().unwrap_err().to_string()
        };
        assert!(changed(|m| m.files[1].size = 0).contains("no bytes"));
        assert!(changed(|m| m.files[0].sha256.truncate(63)).contains("SHA-256"));
        assert!(changed(|m| m.files[0].sha256.replace_range(..1, "g")).contains("SHA-256"));
        for name in ["", ".", "..", "../x", "/etc/x", "a/b", "a\\b", "c:x", "a\0b", "a\nb"] {
            let mut manifest = good.clone();
            manifest.files[0].name = name.into();
            assert!(manifest.check().unwrap_err().to_string().contains("not the name of a file"), "{name:?}");
        }
        assert!(matches!(Manifest::parse("name = 1"), Err(ManifestError::Invalid(_))));
        assert!(
            changed(|m| m.files[0].holds = vec![ArchivedFile { name: "a".into(), size: 1 }])
                .contains(".tar.gz")
        );
        let empty =
            ["name", "title", "homepage", "licence", "citation"].map(|field| format!("{field} = \"\"\n"));
        let error = Manifest::parse(&(empty.concat() + "format = \"table\"\nmirrors = []\nfiles = []\n"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no mirrors"), "{error}");
    }
}
