//! `chainrule resume`: goes on with a training that was interrupted.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chainrule::train::file;
use chainrule_cli::families;
use chainrule_config::configuration_of;
use clap::Args;

use super::run::{self, DIRECTORY, Options, Source};

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The checkpoint; if it is damaged, one before it is taken. The configuration is in it.
    checkpoint: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Save the model to this file [default: the name of the checkpoint without .checkpoint].
    #[arg(long, value_name = "MODEL")]
    out: Option<PathBuf>,
    /// The directory that the paths in the configuration are relative to [default: that of the training].
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { checkpoint, options, out, directory } = arguments;
    let configuration = configuration_of(checkpoint, &options.set, families::registry())?;
    let directory = match directory {
        Some(directory) => directory.clone(),
        None => noted_directory(checkpoint)?,
    };
    let configuration = configuration.in_directory(&directory);
    let out = match out {
        Some(out) => out.clone(),
        None => {
            let name = checkpoint.to_string_lossy();
            let model = name.strip_suffix(".checkpoint").filter(|model| !model.ends_with('/'));
            model.map(PathBuf::from).ok_or_else(|| {
                format!("{name} does not end with .checkpoint: say with --out where the model is to be saved")
            })?
        }
    };
    let source = Source { configuration, file: None, directory, resume: Some(checkpoint.clone()) };
    run::run(source, options, &out, Some(checkpoint))
}

/// The directory of the configuration, as the training has noted it.
fn noted_directory(checkpoint: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let record = file::newest(checkpoint)?.contents.record.unwrap_or_default();
    let noted = record.notes.into_iter().find(|(name, _)| name == DIRECTORY);
    Ok(noted.map(|(_, directory)| directory).unwrap_or_default().into())
}
