//! The data that the program trains on, and where they come from.

use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};

use chainrule::data::locate::{self, cache};
use chainrule::data::{Manifest, fetch, idx};
use chainrule::prelude::*;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{error_chain, terminal};

/// The numbers of bundled digits that stand in for the 60,000 and 10,000 of MNIST.
const TRAIN: usize = 60_000;
const TEST: usize = 10_000;

/// The seeds of the bundled digits; the two sets must differ.
const TRAIN_SEED: Seed = Seed(28);
const TEST_SEED: Seed = Seed(29);

/// A data set that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DatasetName {
    /// the 70,000 digits of MNIST; an error if MNIST is not available
    Mnist,
    /// the bundled set of synthetic digits, drawn by this program
    Digits,
}

/// A data set that was found.
pub struct LoadedDataset {
    /// Its name in reports.
    pub name: &'static str,
    /// The training set.
    pub train: Images,
    /// The test set.
    pub test: Images,
    /// A warning to repeat after the training.
    pub warning: Option<String>,
}

/// Finds or downloads the data set that was chosen; without a choice MNIST, or the bundled digits if it is not
/// available.
pub fn find(chosen: Option<DatasetName>, directory: Option<&Path>) -> Result<LoadedDataset, Box<dyn Error>> {
    if chosen == Some(DatasetName::Digits) {
        return Ok(bundled("You chose the bundled digits"));
    }
    match mnist(directory) {
        Ok((train, test)) => Ok(LoadedDataset { name: "mnist", train, test, warning: None }),
        // A directory that was named and is wrong must not be ignored; a failed download can be replaced.
        Err(Unavailable::Named(error)) => Err(error),
        Err(Unavailable::Unreachable(error)) if chosen == Some(DatasetName::Mnist) => Err(error),
        Err(Unavailable::Unreachable(error)) => {
            terminal::note(error_chain::text(&*error));
            Ok(bundled("MNIST is not available"))
        }
    }
}

/// Why MNIST is not available.
enum Unavailable {
    /// The directory that was named has no usable files.
    Named(Box<dyn Error>),
    /// It is not on this machine and cannot be downloaded.
    Unreachable(Box<dyn Error>),
}

fn mnist(directory: Option<&Path>) -> Result<(Images, Images), Unavailable> {
    let directory = match locate::locate("mnist", directory, idx::is_mnist) {
        Ok(directory) => directory,
        Err(missing) if missing.is_named() => return Err(Unavailable::Named(missing.into())),
        Err(missing) => {
            let cache = cache("mnist").ok_or(Unavailable::Unreachable(missing.into()))?;
            download(cache)?
        }
    };
    terminal::note(format_args!("MNIST from {}", directory.display()));
    Images::mnist(&directory).map_err(|error| Unavailable::Named(error.into()))
}

/// Downloads MNIST into the cache, with a progress bar on a terminal.
fn download(cache: PathBuf) -> Result<PathBuf, Unavailable> {
    let manifest = Manifest::named("mnist").map_err(|error| Unavailable::Named(error.into()))?;
    terminal::note(format_args!("downloading {} to {}", manifest.title, cache.display()));
    let bar = stderr().is_terminal().then(|| {
        let style = ProgressStyle::with_template("{msg:28} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}");
        ProgressBar::new(0).with_style(style.unwrap_or(ProgressStyle::default_bar()))
    });
    let fetched = fetch(&manifest, &cache, &mut |progress| {
        if let Some(bar) = &bar {
            bar.set_message(progress.file.to_owned());
            bar.set_length(progress.total);
            bar.set_position(progress.done);
        }
    });
    bar.iter().for_each(ProgressBar::finish_and_clear);
    fetched.map_err(|error| Unavailable::Unreachable(error.into()))?;
    Ok(cache)
}

fn bundled(why: &str) -> LoadedDataset {
    let warning = format!(
        "NOTE: THIS IS NOT MNIST. {why}: trained on {TRAIN} synthetic digits drawn by this program. \
         The accuracy says nothing about MNIST."
    );
    terminal::note(format_args!("{warning}\n"));
    LoadedDataset {
        name: "digits",
        train: digits(TRAIN, TRAIN_SEED),
        test: digits(TEST, TEST_SEED),
        warning: Some(warning),
    }
}
