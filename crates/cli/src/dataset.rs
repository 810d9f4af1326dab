//! The data that the program trains on, and where they come from.

use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use chainrule::data::locate::{self, cache};
use chainrule::data::{DownloadError, Format, Manifest, fetch};
use chainrule::prelude::*;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{error_chain, terminal};

/// The numbers of bundled digits that stand in for the 60,000 and 10,000 of MNIST.
const TRAIN: usize = 60_000;
const TEST: usize = 10_000;

/// The seeds of the bundled digits; the two sets must differ.
const TRAIN_SEED: Seed = Seed(28);
const TEST_SEED: Seed = Seed(29);

/// The data set that is trained on if none is chosen, and by which models are compared.
const MNIST: &str = "mnist";

/// The name of the bundled digits.
const DIGITS: &str = "digits";

/// A data set that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatasetName {
    /// The bundled set of synthetic digits.
    Digits,
    /// That of a manifest.
    Manifest(String),
}

impl DatasetName {
    /// The digits of MNIST.
    pub fn mnist() -> Self {
        Self::Manifest(MNIST.into())
    }

    /// The data set of this name, if its files are as those of MNIST.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().map(|(known, _)| known).find(|known| known.name() == name)
    }

    /// A parser of the names of data sets whose files are as those of MNIST.
    pub fn parser() -> impl TypedValueParser<Value = Self> {
        let all = Self::all();
        let values =
            all.iter().map(|(known, title)| PossibleValue::new(known.name().to_owned()).help(title.clone()));
        PossibleValuesParser::new(values).map(|name| match name.as_str() {
            DIGITS => Self::Digits,
            _ => Self::Manifest(name),
        })
    }

    /// All of them, with their titles.
    fn all() -> Vec<(Self, String)> {
        let manifests = Manifest::all().unwrap_or_default().into_iter();
        let in_the_form_of_mnist = manifests.filter(|manifest| manifest.format == Format::Mnist);
        let named = in_the_form_of_mnist.map(|Manifest { name, title, .. }| (Self::Manifest(name), title));
        let digits = (Self::Digits, "The bundled set of synthetic digits, drawn by this program".into());
        named.chain([digits]).collect()
    }

    fn name(&self) -> &str {
        match self {
            Self::Digits => DIGITS,
            Self::Manifest(name) => name,
        }
    }
}

/// A data set that was found.
pub struct LoadedDataset {
    /// Its name in reports.
    pub name: String,
    /// The training set.
    pub train: Images,
    /// The test set.
    pub test: Images,
    /// A warning to repeat after the training.
    pub warning: Option<String>,
}

/// Finds or downloads the data set that was chosen; without a choice MNIST, or the bundled digits if it is not
/// available.
pub fn find(chosen: Option<&DatasetName>, directory: Option<&Path>) -> Result<LoadedDataset, Box<dyn Error>> {
    let name = match chosen {
        Some(DatasetName::Digits) => return Ok(bundled("You chose the bundled digits")),
        Some(DatasetName::Manifest(name)) => name,
        None => MNIST,
    };
    let manifest = Manifest::named(name)?;
    match find_or_download(&manifest, directory).and_then(|found| images(&manifest, &found)) {
        Ok((train, test)) => Ok(LoadedDataset { name: manifest.name, train, test, warning: None }),
        // A directory that was named and is wrong must not be ignored; a failed download can be replaced.
        Err(Unavailable::Unreachable(error)) if chosen.is_none() => {
            terminal::note(error_chain::text(&*error));
            Ok(bundled("MNIST is not available"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The directory with the files of the data set that was chosen; without a choice of MNIST.
///
/// # Errors
///
/// If they are not available, or the choice has no files.
pub fn directory(chosen: Option<&DatasetName>, directory: Option<&Path>) -> Result<PathBuf, Box<dyn Error>> {
    let name = match chosen {
        Some(DatasetName::Digits) => {
            return Err(
                "the bundled digits have no files that a configuration could name: choose another data set"
                    .into(),
            );
        }
        Some(DatasetName::Manifest(name)) => name,
        None => MNIST,
    };
    Ok(find_or_download(&Manifest::named(name)?, directory)?)
}

/// Why a data set is not available.
pub enum Unavailable {
    /// The directory that was named has no usable files.
    Named(Box<dyn Error>),
    /// It is not on this machine and cannot be downloaded.
    Unreachable(Box<dyn Error>),
}

impl From<Unavailable> for Box<dyn Error> {
    fn from(unavailable: Unavailable) -> Self {
        match unavailable {
            Unavailable::Named(error) | Unavailable::Unreachable(error) => error,
        }
    }
}

/// The directory with the files of a data set: on this machine, or else they are downloaded into the cache.
pub fn find_or_download(manifest: &Manifest, directory: Option<&Path>) -> Result<PathBuf, Unavailable> {
    let found = match locate::locate(&manifest.name, directory, |place| manifest.is_complete(place)) {
        Ok(directory) => directory,
        Err(missing) if missing.is_named() => return Err(Unavailable::Named(missing.into())),
        Err(missing) => {
            let cache = cache(&manifest.name).ok_or(Unavailable::Unreachable(missing.into()))?;
            download(manifest, &cache).map_err(|error| Unavailable::Unreachable(error.into()))?;
            cache
        }
    };
    terminal::note(format_args!("{} from {}", manifest.title, found.display()));
    Ok(found)
}

/// The pictures of a data set to train and to test with.
pub fn images(manifest: &Manifest, directory: &Path) -> Result<(Images, Images), Unavailable> {
    let images =
        manifest.images(directory).ok_or_else(|| Unavailable::Named(no_pictures(manifest).into()))?;
    images.map_err(|error| Unavailable::Named(error.into()))
}

/// What is said of a data set that is a table, where pictures are needed.
pub fn no_pictures(Manifest { name, .. }: &Manifest) -> String {
    format!(
        "{name} is a table, and has no pictures: `chainrule data download {name}` and `chainrule data info FILE` show it"
    )
}

/// Downloads a data set into a directory, with a progress bar on a terminal.
pub fn download(manifest: &Manifest, directory: &Path) -> Result<(), DownloadError> {
    terminal::note(format_args!("downloading {} to {}", manifest.title, directory.display()));
    let bar = stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{msg:28} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}");
        ProgressBar::new(0).with_style(style.unwrap_or(ProgressStyle::default_bar()))
    });
    let fetched = fetch(manifest, directory, &mut |progress| {
        if let Some(bar) = &bar {
            bar.set_message(progress.file.to_owned());
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    });
    bar.iter().for_each(ProgressBar::finish_and_clear);
    fetched
}

fn bundled(why: &str) -> LoadedDataset {
    let warning = format!(
        "NOTE: THIS IS NOT MNIST. {why}: trained on {TRAIN} synthetic digits drawn by this program. \
         The accuracy says nothing about MNIST."
    );
    terminal::note(format_args!("{warning}\n"));
    LoadedDataset {
        name: DIGITS.into(),
        train: digits(TRAIN, TRAIN_SEED),
        test: digits(TEST, TEST_SEED),
        warning: Some(warning),
    }
}
