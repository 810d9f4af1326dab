//! A training that a configuration describes, from its data to a saved model and its report.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chainrule::tables::Table;
use chainrule::tensor::blas::Blas;
use chainrule::train::Trainer;
use chainrule::train::callbacks::{CsvLog, JsonLinesLog, TensorBoardLog};
use chainrule_cli::machine::cores;
use chainrule_cli::{families, terminal};
use chainrule_config::{
    Configuration, DataParts, LearntTarget, LoadedData, LoadedSamples, PredictedTargets, TrainedModel,
    TrainingJob, noted,
};
use clap::Args;

use super::for_shell;
use crate::forecast::{self, Forecast};
use crate::interrupt::Interrupt;
use crate::output_files;
use crate::progress::ProgressPrinter;
use crate::recorder::{Recorder, SIZES};
use crate::report::{ReportSource, TrainReport};
use crate::trace::TracedEvents;
use crate::training_page::{TrainingFacts, TrainingPage};
use crate::watch::{TESTING, Watch};

/// For how long steps are measured before the training.
const MEASURED: Duration = Duration::from_millis(200);

/// The note of a checkpoint that has the directory of the configuration.
pub(super) const DIRECTORY: &str = "directory";

/// The note of a checkpoint that says how many samples there are, and of which shape.
const SAMPLES: &str = "samples";

/// What a training is told besides its configuration.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Change a key of the configuration, such as epochs=50, optimizer.lr=0.01, model.layers.0.units=128 or data.test=0; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Write the report to this file as JSON.
    #[arg(long, value_name = "REPORT")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report to this file as an HTML page: curves, confusion or residuals, mistakes, weights, sizes of gradients.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Serve the page while the model trains, and say at which address, which only this machine reaches; other machines do with the address of
    /// an interface and a port, such as 0.0.0.0:8000.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    pub(crate) watch: Option<SocketAddr>,
    /// Train for about this long, such as 60s or 10m: for as many epochs as fit into it, instead of those of the configuration. The schedule is that
    /// of the epochs.
    #[arg(long = "for", value_name = "TIME", value_parser = chainrule_config::seconds)]
    pub(crate) time: Option<f64>,
    /// Write a line for each epoch, and for each validation within one, to this file: .csv or .jsonl.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Write what TensorBoard shows into this directory.
    #[arg(long, value_name = "DIRECTORY")]
    tensorboard: Option<PathBuf>,
    /// The number of threads; it does not change the result [default: all cores].
    #[arg(long)]
    pub(crate) threads: Option<usize>,
}

/// What is trained.
pub(crate) struct Source {
    pub(crate) configuration: Configuration,
    /// The file that has it.
    pub(crate) file: Option<PathBuf>,
    /// The directory that paths in it are relative to.
    pub(crate) directory: PathBuf,
    /// The checkpoint that it goes on from.
    pub(crate) resume: Option<PathBuf>,
}

/// What all kinds of targets have in common.
struct Run<'a> {
    source: &'a Source,
    options: &'a Options,
    out: &'a Path,
    checkpoint: PathBuf,
    /// Whether the checkpoint stays when the model is saved.
    keeps_checkpoint: bool,
    /// The samples and their shape, for checkpoints.
    samples: String,
    /// The rows that are the samples of the last part, for the page.
    rows: Option<Arc<Table>>,
}

/// Trains, evaluates, saves, and reports.
pub(crate) fn run(
    mut source: Source,
    options: &Options,
    out: &Path,
    checkpoint: Option<&Path>,
) -> Result<ExitCode, Box<dyn Error>> {
    let registry = families::registry();
    let own = || {
        let mut path = out.to_owned().into_os_string();
        path.push(".checkpoint");
        PathBuf::from(path)
    };
    // One that was resumed from was not asked for either.
    let keeps_checkpoint = checkpoint.is_some() && source.resume.is_none();
    let checkpoint = checkpoint.map_or_else(own, Path::to_owned);
    let files = [
        ("out", Some(out)),
        ("json", options.json.as_deref()),
        ("report", options.report.as_deref()),
        ("checkpoint", Some(&*checkpoint)),
        ("log", options.log.as_deref()),
    ];
    output_files::check(&files)?;
    let mut inputs = source.configuration.data_paths();
    inputs.extend(source.file.as_deref());
    output_files::check_inputs(&files, &inputs)?;
    let data = source.configuration.load_data(registry)?;
    data.notes.iter().for_each(|note| terminal::note(format_args!("warning: {note}")));
    let [train, validation, test] = data.counts();
    terminal::note(format_args!(
        "{train} samples for training, {validation} for validation, {test} for the test\n"
    ));
    if let Some(seconds) = options.time {
        source.configuration = fitted(&source, &data, options, seconds)?;
    }
    let configuration = &source.configuration;
    let model = noted(configuration.model(registry, data.shape())?, configuration, &data);
    terminal::note(format_args!("{}\n", model.summary()));
    let samples = format!("{train} {validation} {test} of {}", data.shape());
    let rows = data.rows.filter(|_| options.report.is_some() || options.watch.is_some());
    let run = Run { source: &source, options, out, checkpoint, keeps_checkpoint, samples, rows };
    match data.samples {
        LoadedSamples::Classes(parts) => run.train(model, data.predicts, parts),
        LoadedSamples::Values(parts) => run.train(model, data.predicts, parts),
    }
}

/// The configuration with as many epochs as fit into this time, after those that were done.
fn fitted(
    source: &Source,
    data: &LoadedData,
    options: &Options,
    seconds: f64,
) -> Result<Configuration, Box<dyn Error>> {
    let (step, done) = match &data.samples {
        LoadedSamples::Classes(parts) => measured(source, data, parts, options)?,
        LoadedSamples::Values(parts) => measured(source, data, parts, options)?,
    };
    let configuration = &source.configuration;
    let [train, validation, _] = data.counts();
    let steps = forecast::steps_in_epoch(configuration, train, validation);
    let more = forecast::epochs_in(seconds, step, steps.taken + steps.validating).map_err(|epoch| {
        let (epoch, given) = (forecast::time(epoch), forecast::time(seconds));
        format!("an epoch takes about {epoch}, more than the {given} of --for: give more time, or choose a smaller network")
    })?;
    let epochs = done.saturating_add(more);
    let one = step.as_secs_f64() * (steps.taken + steps.validating) as f64;
    let given = forecast::time(seconds);
    terminal::note(format_args!("{epochs} epochs: so many of about {one:.3} s fit into {given}\n"));
    let mut configuration = configuration.clone();
    configuration.epochs = epochs;
    // As if it had been given, for those who go on with it.
    configuration.changes.push(format!("epochs={epochs}"));
    Ok(configuration)
}

/// How long a step takes, and how many epochs are done.
fn measured<Y: LearntTarget>(
    source: &Source,
    data: &LoadedData,
    parts: &DataParts<Y>,
    options: &Options,
) -> Result<(Duration, u64), Box<dyn Error>> {
    let (registry, configuration) = (families::registry(), &source.configuration);
    let model = configuration.model(registry, data.shape())?;
    let job = TrainingJob::new(configuration, registry, model, data.predicts.clone(), parts.clone())?;
    let threads = options.threads();
    let mut job = job.threads(threads).try_with(|trainer| match &source.resume {
        Some(path) => trainer.resume(path),
        None => Ok(trainer),
    })?;
    job = reading_ahead(job, threads);
    let done = job.trainer().epochs_done();
    Ok((job.measure_step(MEASURED)?, done))
}

impl Options {
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(cores)
    }
}

/// Threads for which a batch has no shard read ahead.
fn reading_ahead<Y: LearntTarget>(mut job: TrainingJob<'_, Y>, threads: usize) -> TrainingJob<'_, Y> {
    let working = threads.min(job.trainer().shard_count());
    job.read_ahead(threads - working)
}

impl Run<'_> {
    fn train<Y: LearntTarget>(
        &self,
        model: chainrule::train::Model<f32>,
        predicts: PredictedTargets,
        parts: DataParts<Y>,
    ) -> Result<ExitCode, Box<dyn Error>> {
        let registry = families::registry();
        let configuration = &self.source.configuration;
        let Options { json, report: page, .. } = self.options;
        let threads = self.options.threads();
        let interrupt = Interrupt::watch()?;
        let validated = parts.validation.as_ref().map_or(0, |samples| samples.len());
        let last = parts.test.as_ref().or(parts.validation.as_ref()).unwrap_or(&parts.train).clone();
        let outputs = configuration.takes(registry)?;
        let of_outputs = configuration.output_columns(registry, model.input(), &predicts)?;
        let recorder = Recorder::default();
        let job = TrainingJob::new(configuration, registry, model, predicts.clone(), parts)?;
        let mut job =
            job.threads(threads).try_with(|trainer| self.prepared(trainer, interrupt.clone(), &recorder))?;
        job = reading_ahead(job, threads);
        self.forecast(&mut job, threads, validated);
        let source = ReportSource::of(configuration);
        let mut watch = None;
        if let Some(address) = self.options.watch {
            let (samples, trainer) = (job.samples(), job.trainer());
            let facts = TrainingFacts {
                source: &source,
                predicts: &predicts,
                samples,
                model: trainer.model(),
                settings: self.settings(),
                blas: &Blas::current(),
                portable: configuration.portable,
                threads,
                shards: trainer.shard_count(),
            };
            let callback = watch.insert(Watch::start(address, facts.page())?).callback(&recorder);
            job = job.try_with(|trainer| Ok::<_, Box<dyn Error>>(trainer.callback(callback)))?;
        }
        let fitted = job.fit();
        let epochs = configuration.epochs;
        let to_go_on = || {
            let command = self.command();
            if self.checkpoint.exists() { format!("; go on with\n  {command}") } else { String::new() }
        };
        match fitted {
            Ok(history) if history.stopped => {
                if let Some((signal, code)) = interrupt.by() {
                    let epoch = job.trainer().epochs_done() + 1;
                    let why = format!("{signal} in epoch {epoch} of {epochs}{}", to_go_on());
                    terminal::note(format_args!("{why}"));
                    if let Some(watch) = watch {
                        watch.stopped(why);
                    }
                    return Ok(code);
                }
            }
            Ok(_) => {}
            Err(error) => {
                terminal::note(format_args!("the training stopped{}", to_go_on()));
                if let Some(watch) = watch {
                    watch.stopped(format!("The training stopped: {error}{}", to_go_on()));
                }
                return Err(error.into());
            }
        }
        if let Some(watch) = &watch {
            watch.show(TESTING);
        }
        let samples = job.samples();
        let trainer = job.trainer();
        let (history, shards) = (trainer.history().to_vec(), trainer.shard_count());
        let sizes = trainer.weight_sizes().to_vec();
        let times = trainer.layer_times().to_vec();
        let warnings = trainer.warnings().iter().map(ToString::to_string).collect();
        let TrainedModel { model, train, validation, test, .. } = job.finish()?;
        tracing::info!("all parts are evaluated");
        let others = [("validation", validation), ("test", test)];
        let others = others.into_iter().filter_map(|(part, evaluated)| Some((part, evaluated?)));
        let (layers, parameters, params_sha256) = TrainReport::facts(&model);
        let report = TrainReport {
            source,
            samples,
            predicts,
            planned: epochs,
            history,
            validations: recorder.recorded().validations,
            parts: std::iter::once(("training", train)).chain(others).collect(),
            layers,
            parameters,
            params_sha256,
            seed: configuration.seed,
            threads,
            shards,
            portable: configuration.portable,
            blas: Blas::current(),
            processes: Vec::new(),
        };
        // What cannot be printed is saved all the same, and what cannot be saved is printed.
        let printed = terminal::print(format_args!("\n{report}"));
        let saved = model.save(self.out);
        tracing::info!(path = %self.out.display(), saved = saved.is_ok(), "the model is written");
        if let Some(path) = json {
            report.write(path).map_err(|error| output_files::cannot_write(path, &error))?;
        }
        if page.is_some() || watch.is_some() {
            let recorded = recorder.recorded();
            let (report, sizes, times) = (&report, &sizes[..], &times[..]);
            let (model, samples) = (&model, &last);
            let settings = self.settings();
            let (of_outputs, rows) = (&of_outputs[..], self.rows.as_deref());
            let page_of = TrainingPage {
                report,
                warnings,
                recorded,
                sizes,
                times,
                model,
                outputs,
                of_outputs,
                samples,
                rows,
                settings,
            };
            page_of.publish(page.as_deref(), watch)?;
        }
        saved?;
        if !self.keeps_checkpoint {
            output_files::remove_checkpoints(&self.checkpoint, configuration.keep_checkpoints as u32);
        }
        printed?;
        terminal::print(format_args!("saved       {}", self.out.display()))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The trainer with its callbacks, and where it was interrupted.
    fn prepared<Y: LearntTarget>(
        &self,
        trainer: Trainer<f32, Y>,
        interrupt: Interrupt,
        recorder: &Recorder,
    ) -> Result<Trainer<f32, Y>, Box<dyn Error>> {
        let configuration = &self.source.configuration;
        let every = configuration.checkpoint_every;
        let mut trainer = trainer
            .callback(ProgressPrinter::new())
            .callback(TracedEvents)
            .callback(every.checkpoints(&self.checkpoint, configuration.keep_checkpoints));
        match &self.options.log {
            Some(path) if path.extension().is_some_and(|ending| ending == "jsonl") => {
                trainer = trainer.callback(JsonLinesLog::new(path));
            }
            Some(path) => trainer = trainer.callback(CsvLog::new(path)),
            None => {}
        }
        if let Some(directory) = &self.options.tensorboard {
            trainer = trainer.callback(TensorBoardLog::new(directory));
        }
        let has_page = self.options.report.is_some() || self.options.watch.is_some();
        if has_page || configuration.validate_every > 0 {
            trainer = trainer.callback(recorder.clone());
        }
        if has_page {
            trainer = trainer.record_sizes(SIZES);
        }
        let fresh = trainer.model().notes().to_vec();
        if let Some(path) = &self.source.resume {
            trainer = trainer.resume(path)?;
            self.check_same_data(path, &fresh, trainer.model().notes())?;
            terminal::note(format_args!(
                "going on after {} epochs and {} samples",
                trainer.epochs_done(),
                trainer.samples_done()
            ));
        } else if !self.keeps_checkpoint && self.checkpoint.exists() {
            terminal::note(format_args!(
                "warning: {} is of a training that was interrupted, and will be replaced: to go on with that one, end this one and run\n  {}",
                self.checkpoint.display(),
                self.command()
            ));
        }
        let directory = std::path::absolute(&self.source.directory);
        let directory = directory.as_deref().unwrap_or(&self.source.directory).display().to_string();
        Ok(trainer.note(DIRECTORY, directory).note(SAMPLES, &self.samples).callback(interrupt))
    }

    /// Whether the data are those of the checkpoint: what is learnt about the columns of a table shows most changes of it.
    fn check_same_data(
        &self,
        path: &Path,
        fresh: &[(String, String)],
        noted: &[(String, String)],
    ) -> Result<(), Box<dyn Error>> {
        let record = chainrule::train::file::newest(path)?.contents.record.unwrap_or_default();
        let samples = record.notes.iter().find(|(name, _)| name == SAMPLES).map(|(_, samples)| samples);
        let learnt = |notes: &[(String, String)]| {
            let learnt = |(name, _): &&(String, String)| name == "preparation" || name == "predicts";
            notes.iter().filter(learnt).cloned().collect::<Vec<_>>()
        };
        if samples == Some(&self.samples) && learnt(fresh) == learnt(noted) {
            return Ok(());
        }
        let path = path.display();
        Err(format!("the data are not those that {path} was trained on: bring them back, or begin a new training with `chainrule train`").into())
    }

    /// Says what the training will take.
    fn forecast<Y: LearntTarget>(&self, job: &mut TrainingJob<'_, Y>, threads: usize, validated: usize) {
        let configuration = &self.source.configuration;
        let step = job.measure_step(MEASURED).ok();
        let samples = job.samples();
        let steps_per_epoch = forecast::steps_in_epoch(configuration, samples, validated);
        let trainer = job.trainer();
        let epochs_left = configuration.epochs.saturating_sub(trainer.epochs_done());
        let done = trainer.samples_done().div_ceil(configuration.batch_size) as u64;
        let forecast = Forecast {
            parameters: trainer.model().parameters().len(),
            bytes: trainer.training_bytes().total(),
            steps: epochs_left.saturating_mul(steps_per_epoch.taken).saturating_sub(done),
            validating: epochs_left.saturating_mul(steps_per_epoch.validating),
            epochs: epochs_left,
            step,
        };
        let shards = trainer.shard_count();
        let working = threads.min(shards);
        terminal::note(format_args!("{forecast}, on {working} of {threads} threads"));
    }

    /// How it is trained, for the page.
    fn settings(&self) -> Vec<(String, String)> {
        let Configuration { text, changes, .. } = &self.source.configuration;
        let changes = changes.join("\n");
        let facts = [("configuration", text.trim_end().to_owned()), ("changes", changes)];
        let facts = facts.into_iter().filter(|(_, text)| !text.is_empty());
        facts.map(|(name, text)| (name.to_owned(), text)).collect()
    }

    /// The command that goes on.
    fn command(&self) -> String {
        let mut command = format!("chainrule resume {}", for_shell(&self.checkpoint));
        let named = self.checkpoint.to_string_lossy().strip_suffix(".checkpoint").map(PathBuf::from);
        if named.as_deref() != Some(self.out) {
            command += &format!(" --out {}", for_shell(self.out));
        }
        for (option, path) in [
            ("json", &self.options.json),
            ("report", &self.options.report),
            ("log", &self.options.log),
            ("tensorboard", &self.options.tensorboard),
        ] {
            if let Some(path) = path {
                command += &format!(" --{option} {}", for_shell(path));
            }
        }
        if let Some(address) = &self.options.watch {
            command += &format!(" --watch={address}");
        }
        command
    }
}
