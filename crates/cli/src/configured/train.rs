//! `chainrule train`: trains what a configuration describes.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chainrule::data::output;
use chainrule::optim::Schedule;
use chainrule::train::{Model, RateCurve, RateFinder};
use chainrule_cli::families;
use chainrule_config::{
    Configuration, DataParts, LearntTarget, LoadedSamples, Located, PredictedTargets, TrainingJob,
};
use clap::Args;

use super::run::{self, Options, Source};
use super::{read_configuration, seeds};
use crate::find_rate::show_rates;
use crate::output_files::{cannot_write, check_inputs};

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
    /// Instead of training, try growing learning rates for 200 steps, say which one to choose, and draw the losses to this file, as SVG.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "checkpoint", "json", "log", "tensorboard", "report", "watch", "time"])]
    find_lr: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let Arguments { config, options, out, checkpoint, seeds, find_lr } = arguments;
    let configuration = read_configuration(config, &options.set)?;
    if let Some(path) = find_lr {
        check_inputs(&[("find-lr", Some(path))], &[&configuration.data_paths()[..], &[config]].concat())?;
        find_rate(configuration, options.threads, path)?;
        return Ok(ExitCode::SUCCESS);
    }
    let out = out
        .clone()
        .unwrap_or_else(|| config.with_extension("chainrule").file_name().unwrap_or_default().into());
    if let Some(count) = *seeds {
        let files = [("out", Some(&*out)), ("json", options.json.as_deref())];
        check_inputs(&files, &[&configuration.data_paths()[..], &[config]].concat())?;
        return seeds::run(&configuration, count, options.threads, &out, options.json.as_deref());
    }
    let directory = config.parent().unwrap_or(std::path::Path::new("")).to_owned();
    let file = Some(config.clone());
    run::run(Source { configuration, file, directory, resume: None }, options, &out, checkpoint.as_deref())
}

/// Tries growing learning rates, and says and draws what they did to the loss.
fn find_rate(
    mut configuration: Configuration,
    threads: Option<usize>,
    path: &Path,
) -> Result<(), Box<dyn Error>> {
    output::check(path).map_err(|error| cannot_write(path, &error))?;
    let registry = families::registry();
    let finder = RateFinder::default();
    let at = configuration.optimizer.at.clone();
    configuration.schedule = Some(Located { value: Schedule::description(&finder.schedule()), at });
    // What they find in the first steps may be the rate that grows.
    configuration.audit = false;
    configuration.early_stopping = None;
    let data = configuration.load_data(registry)?;
    let model = configuration.model(registry, data.shape())?;
    let (configuration, predicts) = (&configuration, data.predicts);
    let curve = match data.samples {
        LoadedSamples::Classes(parts) => rates(configuration, model, predicts, parts, threads, finder),
        LoadedSamples::Values(parts) => rates(configuration, model, predicts, parts, threads, finder),
    }?;
    show_rates(&curve, &configuration.optimizer.value.name, "--set optimizer.lr=", path)
}

fn rates<Y: LearntTarget>(
    configuration: &Configuration,
    model: Model<f32>,
    predicts: PredictedTargets,
    parts: DataParts<Y>,
    threads: Option<usize>,
    finder: RateFinder,
) -> Result<RateCurve, Box<dyn Error>> {
    let job = TrainingJob::new(configuration, families::registry(), model, predicts, parts)?;
    let job = match threads {
        Some(threads) => job.threads(threads),
        None => job,
    };
    Ok(job.find_rate(finder)?)
}
