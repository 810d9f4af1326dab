//! `chainrule train`: trains what a configuration describes.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use chainrule_cli::families;
use chainrule_config::Configuration;
use clap::Args;

use super::run::{self, Options, Source};
use super::seeds;

#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The configuration, such as `chainrule init` writes it.
    config: PathBuf,
    #[command(flatten)]
    options: Options,
    /// Save the model to this file [default: the name of the configuration, with .chainrule].
    #[arg(long, value_name = "MODEL")]
    out: Option<PathBuf>,
    /// Save the training to this file, from which `chainrule resume` goes on. Without this option it is called as the file of --out with
    /// .checkpoint appended, and removed once the model is saved.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Train with so many seeds, side by side, from that of the configuration on; report mean and deviation, and save each model with its seed in
    /// the name.
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["checkpoint", "log", "tensorboard", "report", "watch", "time"])]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { config, options, out, checkpoint, seeds } = arguments;
    let configuration = Configuration::read(config, &options.set, families::registry())?;
    let out = out
        .clone()
        .unwrap_or_else(|| config.with_extension("chainrule").file_name().unwrap_or_default().into());
    if let Some(count) = *seeds {
        return seeds::run(&configuration, count, options.threads, &out, options.json.as_deref());
    }
    let directory = config.parent().unwrap_or(std::path::Path::new("")).to_owned();
    run::run(Source { configuration, directory, resume: None }, options, &out, checkpoint.as_deref())
}
