//! `chainrule data download`: the files of a data set, on this machine.

use std::error::Error;
use std::path::PathBuf;

use chainrule::core::nearest_name;
use chainrule::data::{Manifest, ManifestError, locate};
use chainrule_cli::{dataset, terminal};
use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The name of the data set: see `chainrule data list`.
    name: String,
    /// The directory for its files [default: that of its name in the cache].
    #[arg(long)]
    data_dir: Option<PathBuf>,
}

pub(crate) fn run(Arguments { name, data_dir }: &Arguments) -> Result<(), Box<dyn Error>> {
    let manifest = named(name)?;
    let directory = data_dir.clone().or_else(|| locate::cache(name));
    let directory = directory.ok_or("this system has no cache directory: give one with --data-dir")?;
    dataset::download(&manifest, &directory)?;
    terminal::note(format_args!("licence: {}\nto be cited as: {}", manifest.licence, manifest.citation));
    Ok(terminal::print(directory.display())?)
}

/// The data set of this name.
pub(crate) fn named(name: &str) -> Result<Manifest, Box<dyn Error>> {
    Manifest::named(name).map_err(|error| match error {
        ManifestError::Unknown { known, .. } => {
            let nearest = nearest_name(name, known.split(", ")).unwrap_or_default();
            format!("there is no data set named `{name}`; the nearest is `{nearest}`, of {known}").into()
        }
        other => other.into(),
    })
}
