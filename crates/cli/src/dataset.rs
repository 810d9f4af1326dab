//! Which data the program trains on, and where they come from.

use std::error::Error;
use std::io::{IsTerminal, stderr};
use std::path::Path;

use chainrule::data::locate::{self, cache};
use chainrule::data::{Manifest, fetch, idx};
use chainrule::prelude::*;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

/// How many bundled digits stand in for the 60,000 and 10,000 of MNIST.
const TRAIN: usize = 60_000;
const TEST: usize = 10_000;

/// The seeds of the bundled digits; the two sets must differ.
const SEEDS: [Seed; 2] = [Seed(28), Seed(29)];

/// A data set that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DatasetName {
    /// the 70,000 digits of MNIST; an error where they cannot be had
    Mnist,
    /// the bundled set of synthetic digits, drawn by this program
    Digits,
}

/// What was found.
pub(crate) struct Found {
    pub(crate) name: &'static str,
    pub(crate) train: Images,
    pub(crate) test: Images,
    /// To be said after the training too.
    pub(crate) warning: Option<String>,
}

/// Finds or fetches the data set that was asked for.
pub(crate) fn find(wanted: Option<DatasetName>, directory: Option<&Path>) -> Result<Found, Box<dyn Error>> {
    if wanted == Some(DatasetName::Digits) {
        return Ok(bundled("You asked for the bundled digits"));
    }
    match mnist(directory) {
        Ok((train, test)) => Ok(Found { name: "mnist", train, test, warning: None }),
        // What somebody named and is wrong must not be passed over; what cannot be fetched can be replaced.
        Err(Missing::Named(error)) => Err(error),
        Err(Missing::Unreachable(error)) if wanted == Some(DatasetName::Mnist) => Err(error),
        Err(Missing::Unreachable(error)) => {
            eprintln!("{error}");
            Ok(bundled("MNIST could not be had"))
        }
    }
}

/// Why there is no MNIST.
enum Missing {
    /// The place that was named has no usable files.
    Named(Box<dyn Error>),
    /// It is not on this machine and cannot be fetched.
    Unreachable(Box<dyn Error>),
}

fn mnist(directory: Option<&Path>) -> Result<(Images, Images), Missing> {
    let named = |error: Box<dyn Error>| Missing::Named(error);
    let place = match locate::locate("mnist", directory, idx::is_mnist) {
        Ok(place) => place,
        Err(missing) if missing.is_named() => return Err(named(missing.into())),
        Err(missing) => {
            let cache = cache("mnist").ok_or(Missing::Unreachable(missing.into()))?;
            let manifest = Manifest::named("mnist").map_err(|error| named(error.into()))?;
            eprintln!("fetching {} into {}", manifest.title, cache.display());
            let bar = stderr().is_terminal().then(|| {
                let style =
                    ProgressStyle::with_template("{msg:28} {bar:24} {bytes}/{total_bytes} {bytes_per_sec}");
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
            fetched.map_err(|error| Missing::Unreachable(error.into()))?;
            cache
        }
    };
    eprintln!("MNIST from {}", place.display());
    Images::mnist(&place).map_err(|error| named(error.into()))
}

fn bundled(why: &str) -> Found {
    let warning = format!(
        "NOTE: THIS IS NOT MNIST. {why}: trained on {TRAIN} synthetic digits drawn by this program. \
         The accuracy says nothing about MNIST."
    );
    eprintln!("{warning}\n");
    let [train, test] = SEEDS;
    Found { name: "digits", train: digits(TRAIN, train), test: digits(TEST, test), warning: Some(warning) }
}
