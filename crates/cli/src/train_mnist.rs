//! `chainrule train-mnist`: trains a network on MNIST, evaluates it and saves it.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chainrule::core::{Description, Initializer, Registry};
use chainrule::data::ClassTargets;
use chainrule::layers::activations::AnyActivation;
use chainrule::prelude::*;
use chainrule::tensor::{ClassTarget, blas};
use chainrule::train::Audit;
use chainrule_cli::dataset::{self, DatasetName, LoadedDataset};
use chainrule_cli::families;
use chainrule_cli::machine::cores;
use chainrule_cli::models::ModelName;
use chainrule_cli::{peak, terminal};
use chainrule_config::{
    CheckpointInterval, Evaluation, LearntTarget, PredictedTargets, Rate, SharedSamples, scheduled_optimizer,
};
use clap::{ArgGroup, Args};

use crate::forecast::{self, Forecast};
use crate::interrupt::Interrupt;
use crate::launch::{self, Launch};
use crate::output_files;
use crate::parts;
use crate::processes::{self, Processes};
use crate::progress::ProgressPrinter;
use crate::recorder::{Recorder, SIZES};
use crate::report::{ReportSource, TrainReport};
use crate::trace::TracedEvents;
use crate::training_page::{TrainingFacts, TrainingPage};
use crate::watch::{TESTING, Watch};

/// What changes the learning rate of the optimizer.
pub(crate) const RATE_OPTIONS: &str = "--lr and --schedule";

/// For how long steps are measured before the training.
const MEASURED: Duration = Duration::from_millis(200);

// What the help says of options that take a description, before the names.
const ACTIVATION: &str = "The activation of the hidden layers of mlp, such as leaky_relu:0.2 [default: relu]";
const INIT: &str = "The initial weights of mlp, whose biases begin at 0 [default: glorot_uniform]";
const LOSS: &str = "The loss to minimise, such as focal:gamma=2";
const OPTIMIZER: &str = "The optimizer, such as lion, or \"clip_by_global_norm:1 then adam.keras:lr=0.01\"";
const SCHEDULE: &str = "How the learning rate changes during training, such as \"warmup:500 then cosine\". It begins at the rate of\n\
    the optimizer. For the settings of the Keras tutorial use --schedule constant --lr 0.001 [default: cosine]";
const METRIC: &str = "A metric to report besides the accuracy, such as f1; may be given several times";

#[derive(Args, Debug)]
#[command(group = ArgGroup::new("several").args(["distributed", "processes"]).multiple(true))]
pub(crate) struct Arguments {
    /// The network.
    #[arg(long, value_enum, default_value_t = ModelName::Mlp)]
    pub(crate) model: ModelName,
    /// The number of passes over the training set [default: depends on the network, 5 for mlp].
    #[arg(long)]
    pub(crate) epochs: Option<u64>,
    /// Train for about this long, such as 60s or 10m: for as many epochs as fit into it, instead of those of --epochs. The schedule is that of
    /// the epochs.
    #[arg(long = "for", value_name = "TIME", value_parser = chainrule_config::seconds)]
    pub(crate) time: Option<f64>,
    /// The number of samples per step [default: depends on the network, 32 for mlp].
    #[arg(long)]
    pub(crate) batch_size: Option<usize>,
    /// The units of the hidden layers of mlp, such as 128,64 [default: 64,64].
    #[arg(long, value_delimiter = ',')]
    pub(crate) hidden: Option<Vec<usize>>,
    /// The activation of the hidden layers of mlp, such as leaky_relu:0.2 [default: relu].
    #[arg(long, value_parser = parts::read::<AnyActivation<f32>>)]
    #[arg(long_help = parts::help::<AnyActivation<f32>>(ACTIVATION))]
    pub(crate) activation: Option<Description>,
    /// The initial weights of mlp, whose biases begin at 0 [default: glorot_uniform].
    #[arg(long, value_parser = parts::read::<Arc<dyn Initializer>>)]
    #[arg(long_help = parts::help::<Arc<dyn Initializer>>(INIT))]
    pub(crate) init: Option<Description>,
    /// The loss to minimise, such as focal:gamma=2.
    #[arg(long, value_parser = parts::read::<Box<dyn Loss<f32, ClassTarget<f32>>>>, default_value = "cross_entropy")]
    #[arg(long_help = parts::help::<Box<dyn Loss<f32, ClassTarget<f32>>>>(LOSS))]
    pub(crate) loss: Description,
    /// The optimizer, such as lion, or "clip_by_global_norm:1 then adam.keras:lr=0.01".
    #[arg(long, value_parser = parts::read::<Box<dyn UpdateRule<f32>>>, default_value = "adam(lr=0.003)")]
    #[arg(long_help = parts::help::<Box<dyn UpdateRule<f32>>>(OPTIMIZER))]
    pub(crate) optimizer: Description,
    /// The learning rate [default: that of the optimizer].
    #[arg(long, allow_negative_numbers = true, value_parser = learning_rate)]
    pub(crate) lr: Option<f64>,
    /// How the learning rate changes during training, such as "warmup:500 then cosine" [default: cosine].
    #[arg(long, value_parser = parts::read::<Arc<dyn Schedule>>)]
    #[arg(long_help = parts::help::<Arc<dyn Schedule>>(SCHEDULE))]
    pub(crate) schedule: Option<Description>,
    /// Instead of training, try growing learning rates for 200 steps, say which one to choose, and draw the losses to this file, as SVG.
    #[arg(long, value_name = "FILE")]
    pub(crate) find_lr: Option<PathBuf>,
    /// Instead of training, write the training as a configuration to this file; `chainrule train` trains it with the same bits.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["find_lr", "time", "distributed", "processes", "resume", "json", "report", "watch", "checkpoint"])]
    pub(crate) write_config: Option<PathBuf>,
    /// A metric to report besides the accuracy, such as f1; may be given several times.
    #[arg(long, value_parser = parts::read::<Box<dyn Measure<f32, ClassTarget<f32>>>>)]
    #[arg(long_help = parts::help::<Box<dyn Measure<f32, ClassTarget<f32>>>>(METRIC))]
    pub(crate) metric: Vec<Description>,
    /// The seed of the initial weights and of shuffling.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The number of threads; it does not change the result [default: all cores].
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// The number of shards that a batch is split into. At most this many threads can work, and it changes the last bits
    /// of the result [default: 1 to 16, by the network and the batch].
    #[arg(long)]
    pub(crate) shards: Option<usize>,
    /// Compute a result that is the same to the last bit on every CPU, in somewhat more time.
    #[arg(long)]
    pub(crate) portable: bool,
    /// Train together with the other processes that mpirun has started. Each runs some of the shards; of more processes than shards some have
    /// no rows. The number of processes does not change the result. A process then has 1 thread unless --threads is given,
    /// and there is no audit. Only for a program that was built with MPI.
    #[arg(long, conflicts_with_all = ["find_lr", "time"])]
    pub(crate) distributed: bool,
    /// How long a process waits for another one before that counts as hanging and the job ends, such as 60s [default: 5m].
    #[arg(long, value_name = "TIME", value_parser = chainrule_config::seconds, requires = "several")]
    pub(crate) patience: Option<f64>,
    /// Has mpirun start this many processes on this machine, which train together as with --distributed. Several numbers, such as 4,2, are
    /// for --retries: after a failure the training goes on in the next number of processes.
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with_all = ["find_lr", "time"])]
    #[arg(value_parser = number_of_processes)]
    pub(crate) processes: Vec<usize>,
    /// How often a training with --processes is started again after a failure, such as a process that was killed. It goes on from the
    /// last checkpoint, and ends with the bits of one that did not fail.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "processes")]
    pub(crate) retries: u32,
    /// The directory of the four MNIST files [default: CHAINRULE_DATA, else the cache, else a download].
    #[arg(long)]
    pub(crate) data_dir: Option<PathBuf>,
    /// The data set [default: MNIST, or the bundled digits if MNIST is not available].
    #[arg(long, value_parser = DatasetName::parser())]
    pub(crate) dataset: Option<DatasetName>,
    /// Write the report to this file as JSON.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write the report to this file as an HTML page: curves, confusion, mistakes, weights.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Serve the page while the network trains, and say at which address, which only this machine reaches; other machines do with the
    /// address of an interface and a port, such as 0.0.0.0:8000.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:0")]
    #[arg(conflicts_with = "find_lr")]
    pub(crate) watch: Option<SocketAddr>,
    /// Do not look in the first 100 steps for what keeps the training from learning.
    #[arg(long)]
    pub(crate) no_audit: bool,
    /// Save the model to this file.
    #[arg(long, default_value = "mnist.chainrule")]
    pub(crate) out: PathBuf,
    /// Save the training to this file, from which --resume goes on. Without this option it is called as the file of --out with
    /// .checkpoint appended, and removed once the model is saved.
    #[arg(long)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// How often the training is saved: 60s, 5m, 500steps or 1epoch; end for when it ends or is interrupted.
    #[arg(long, default_value_t = CheckpointInterval::Seconds(60.0))]
    pub(crate) checkpoint_every: CheckpointInterval,
    /// The number of checkpoints to keep. Those before the newest have .1, .2 and so on appended to their names.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) keep_checkpoints: u32,
    /// Go on from this checkpoint, or from one before it if it is damaged. The options of the training are in it; others that
    /// are given replace them.
    #[arg(long)]
    pub(crate) resume: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(path) = &arguments.write_config {
        arguments.write_configuration(path)?;
        return Ok(ExitCode::SUCCESS);
    }
    if !arguments.processes.is_empty() {
        check_before_launch(arguments)?;
        let (processes, checkpoint) = (&arguments.processes[..], &arguments.checkpoint());
        let (retries, resume) = (arguments.retries, arguments.resume.as_deref());
        let go_on = |path: &Path, processes| arguments.to_go_on(path, processes);
        return launch::run(Launch { processes, retries, checkpoint, resume, go_on });
    }
    if arguments.distributed {
        return processes::run(arguments.patience, |processes| train(arguments, processes));
    }
    train(arguments, &Processes::alone())
}

/// Refuses what each job would refuse again, however often it is started.
fn check_before_launch(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    check_files(arguments)?;
    layers(arguments, families::registry())?;
    Ok(())
}

/// Checks whether the files can be written.
fn check_files(arguments: &Arguments) -> Result<(), String> {
    let Arguments { out, json, report, .. } = arguments;
    output_files::check(&[
        ("out", Some(out.as_path())),
        ("json", json.as_deref()),
        ("report", report.as_deref()),
        ("checkpoint", Some(arguments.checkpoint().as_path())),
    ])
}

/// Trains, evaluates and saves, together with other processes if there are any. The first one prints and writes.
pub(crate) fn train(arguments: &Arguments, processes: &Processes) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(warning) = blas::advice() {
        processes.note(format_args!("warning: {warning}"));
    }
    let is_first = processes.is_first();
    let checkpoint = &arguments.checkpoint();
    if is_first {
        check_files(arguments)?;
    }
    let dataset = processes
        .first_then_others(|| dataset::find(arguments.dataset.as_ref(), arguments.data_dir.as_deref()))?;
    let LoadedDataset { ref name, train, test, ref warning } = dataset;
    let classes = train.classes();
    let class_targets = |images: Images| -> SharedSamples<ClassTarget<f32>> {
        Arc::new(ClassTargets::with_classes(images, classes))
    };
    let (train, test) = (class_targets(train), class_targets(test));
    let samples: &dyn Samples<f32, Target = ClassTarget<f32>> = &*train;
    let own_cores = || if processes.are_many() { 1 } else { cores() };
    let threads = arguments.threads.unwrap_or_else(own_cores);
    let (default_epochs, default_batch_size) = arguments.model.defaults();
    let mut epochs = arguments.epochs.unwrap_or(default_epochs);
    let batch_size = arguments.batch_size.unwrap_or(default_batch_size);
    let registry = families::registry();
    let model = Model::new(train.shape(), layers(arguments, registry)?, Seed(arguments.seed))?;
    let library = blas::Blas::current();
    processes.note(format_args!("{}\n", model.summary()));
    let loss: Box<dyn Loss<f32, ClassTarget<f32>>> = registry.build(&arguments.loss)?;
    if let Some(path) = &arguments.find_lr {
        arguments.find_rate(registry, model, loss, samples, path)?;
        return Ok(ExitCode::SUCCESS);
    }
    let outputs = loss.outputs();
    let rate = Rate {
        rate: arguments.lr,
        schedule: arguments.schedule.as_ref(),
        default: "cosine",
        names: RATE_OPTIONS,
    };
    let optimizer = scheduled_optimizer(registry, &arguments.optimizer, rate)?;
    let mut trainer = ClassTarget::trainer(model, loss, optimizer)
        .batch_size(batch_size)
        .shards(arguments.shards)
        .distributable(true)
        .threads(threads)
        .portable(arguments.portable)
        .seed(Seed(arguments.seed))
        .metric(Accuracy);
    if is_first {
        let keep = arguments.keep_checkpoints as usize;
        trainer = trainer
            .callback(ProgressPrinter::new())
            .callback(TracedEvents)
            .callback(arguments.checkpoint_every.checkpoints(checkpoint, keep));
    }
    if !arguments.no_audit && !processes.are_many() {
        trainer = trainer.audit(Audit::default());
    }
    let recorder = Recorder::default();
    let is_shown = arguments.report.is_some() || arguments.watch.is_some();
    if is_shown {
        // The sizes are part of what all processes do; the first alone writes them.
        trainer = trainer.record_sizes(SIZES);
    }
    if is_shown && is_first {
        trainer = trainer.callback(recorder.clone());
    }
    for metric in &arguments.metric {
        trainer = trainer.metric(registry.build::<Box<dyn Measure<f32, ClassTarget<f32>>>>(metric)?);
    }
    if let Some(path) = &arguments.resume {
        trainer = trainer.resume(path)?;
        processes.note(format_args!(
            "going on after {} epochs and {} samples",
            trainer.epochs_done(),
            trainer.samples_done()
        ));
    }
    let replaces = arguments.resume.is_none() && arguments.checkpoint.is_none() && checkpoint.exists();
    if replaces {
        processes.note(format_args!(
            "warning: {} is of a training that was interrupted, and will be replaced: to go on with that one, end this one and use --resume",
            checkpoint.display()
        ));
    }
    // The steps of one process say little of those of several.
    let step = (!processes.are_many()).then(|| trainer.measure_step(samples, MEASURED));
    let steps_per_epoch = train.len().div_ceil(batch_size.max(1)) as u64;
    if let Some(seconds) = arguments.time {
        let Some(step) = &step else {
            return Err("--for is not for several processes: give --epochs".into());
        };
        let step = step.as_ref().copied().map_err(|error| error.to_string())?;
        let (time, done) = (forecast::time, trainer.epochs_done());
        let fitting = forecast::epochs_in(seconds, step, steps_per_epoch);
        let more = fitting.map_err(|epoch| {
            let (epoch, given) = (time(epoch), time(seconds));
            format!("an epoch takes about {epoch}, more than the {given} of --for: give more time, or choose a smaller network")
        })?;
        epochs = done.saturating_add(more);
    }
    let epochs_left = epochs.saturating_sub(trainer.epochs_done());
    let done = trainer.samples_done().div_ceil(batch_size.max(1)) as u64;
    let forecast = Forecast {
        parameters: trainer.model().parameters().len(),
        bytes: trainer.training_bytes().total(),
        steps: epochs_left.saturating_mul(steps_per_epoch).saturating_sub(done),
        validating: 0,
        epochs: epochs_left,
        step: step.and_then(Result::ok),
    };
    for (name, value) in arguments.notes(epochs, name) {
        trainer = trainer.note(name, value);
    }
    let shards = trainer.shard_count();
    // Each shard is the work of one thread.
    let working = threads.min(shards.div_ceil(processes.count()));
    if is_first {
        let gflops = peak::quick_estimate()?;
        let products = if arguments.portable {
            "portable products".to_owned()
        } else {
            format!("{library}, 1 thread per product")
        };
        let count = processes.count();
        let each =
            if processes.are_many() { format!(" in each of {count} processes") } else { String::new() };
        let more = if working < threads && shards > 1 { " (--shards lets more work)" } else { "" };
        terminal::note(format_args!(
            "{products}, {gflops:.0} GFLOP/s; training on {working} of {threads} threads{each}, {shards} shards{more}\n{forecast}"
        ));
    }
    let source = ReportSource::Dataset(name.clone());
    let predicts = PredictedTargets {
        names: vec!["class".to_owned()],
        classes: Some((0..classes).map(|class| class.to_string()).collect()),
        ..PredictedTargets::default()
    };
    let mut watch = None;
    if let Some(address) = arguments.watch.filter(|_| is_first) {
        let facts = TrainingFacts {
            source: &source,
            predicts: &predicts,
            samples: train.len(),
            model: trainer.model(),
            settings: arguments.options(epochs, name),
            blas: &library,
            portable: arguments.portable,
            threads,
            shards,
        };
        let watch = watch.insert(Watch::start(address, facts.page())?);
        trainer = trainer.callback(watch.callback(&recorder));
    }
    trainer = processes.join(trainer);
    let interrupt = Interrupt::watch()?;
    trainer = trainer.callback(interrupt.clone());
    let to_go_on = || {
        let command = arguments.to_go_on(checkpoint, processes.count());
        if checkpoint.exists() { format!("; go on with\n  {command}") } else { String::new() }
    };
    match trainer.fit(samples, Fit::until(epochs)) {
        Ok(history) if history.stopped => {
            // All processes stop where one of them was asked to.
            let other = processes.are_many().then(|| ("a signal to another process", Interrupt::of_other()));
            if let Some((signal, code)) = interrupt.by().or(other) {
                let epoch = trainer.epochs_done() + 1;
                let why = format!("{signal} in epoch {epoch} of {epochs}{}", to_go_on());
                processes.note(format_args!("{why}"));
                // The others do not wait for those who watch.
                let stopped = processes.stop();
                if let Some(watch) = watch {
                    watch.stopped(why);
                }
                stopped?;
                return Ok(code);
            }
        }
        Ok(_) => {}
        Err(error) => {
            processes.note(format_args!("the training stopped{}", to_go_on()));
            if let Some(watch) = watch {
                watch.stopped(format!("The training stopped: {error}{}", to_go_on()));
            }
            return Err(error.into());
        }
    }
    if let Some(watch) = &watch {
        watch.show(TESTING);
    }
    let train_seconds = trainer.history().iter().map(|report| report.seconds).sum();
    let figures = processes.gather(train_seconds, threads, |rank, size| trainer.shards_of(rank, size))?;
    if !is_first {
        return Ok(ExitCode::SUCCESS);
    }
    trainer.warn_if_seen(&*test);
    let model = &trainer.evaluated_model();
    let loss: Box<dyn Loss<f32, ClassTarget<f32>>> = registry.build(&arguments.loss)?;
    let evaluating = ClassTarget::trainer(model.clone(), loss, Box::new(adam(0.0)));
    let evaluating = evaluating.threads(threads).shards(Some(shards)).batch_size(batch_size);
    let mut evaluating = evaluating.portable(arguments.portable).metric(Accuracy);
    for metric in &arguments.metric {
        evaluating = evaluating.metric(registry.build::<Box<dyn Measure<f32, ClassTarget<f32>>>>(metric)?);
    }
    let tested = Evaluation::new(evaluating, outputs).of(&test)?;
    let (layers, parameters, params_sha256) = TrainReport::facts(model);
    let report = TrainReport {
        source,
        samples: train.len(),
        predicts,
        planned: epochs,
        history: trainer.history().to_vec(),
        validations: Vec::new(),
        parts: vec![("test", tested)],
        processes: figures,
        layers,
        parameters,
        params_sha256,
        seed: arguments.seed,
        threads,
        shards,
        portable: arguments.portable,
        blas: library,
    };
    // What cannot be printed is saved all the same, and what cannot be saved is printed.
    let printed = terminal::print(format_args!("\n{report}"));
    let saved = model.save(&arguments.out);
    if let Some(path) = &arguments.json {
        report.write(path).map_err(|error| output_files::cannot_write(path, &error))?;
    }
    if is_shown {
        let page = TrainingPage {
            report: &report,
            warnings: trainer.warnings().iter().map(ToString::to_string).collect(),
            recorded: recorder.recorded(),
            sizes: trainer.weight_sizes(),
            times: trainer.layer_times(),
            model,
            outputs,
            of_outputs: &[],
            samples: &test,
            rows: None,
            settings: arguments.options(epochs, name),
        };
        page.publish(arguments.report.as_deref(), watch)?;
    }
    saved?;
    if arguments.checkpoint.is_none() {
        output_files::remove_checkpoints(checkpoint, arguments.keep_checkpoints);
    }
    printed?;
    terminal::print(format_args!("saved       {}", arguments.out.display()))?;
    if let Some(warning) = warning {
        terminal::print(format_args!("\n{warning}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The learning rate that was given.
fn learning_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().map_err(|_| "the learning rate must be a number, such as 0.001")?;
    if (0.0..=f64::from(f32::MAX)).contains(&rate) {
        return Ok(rate);
    }
    Err("the learning rate must be a finite number of at least 0".into())
}

/// A number of processes that was given.
fn number_of_processes(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=1024) => Ok(number),
        _ => Err("the number of processes must be 1 to 1024".into()),
    }
}

/// The layers of the network that was chosen.
fn layers(arguments: &Arguments, registry: &Registry) -> Result<Sequential<f32>, Box<dyn Error>> {
    let parts = layer_descriptions(arguments, registry)?;
    Ok(Sequential::from_description(&Description::chain(parts), registry)?)
}

/// Their descriptions.
pub(crate) fn layer_descriptions(
    arguments: &Arguments,
    registry: &Registry,
) -> Result<Vec<Description>, Box<dyn Error>> {
    let Arguments { model, hidden, activation, init, .. } = arguments;
    if let Some(description) = model.description() {
        let given =
            [("hidden", hidden.is_some()), ("activation", activation.is_some()), ("init", init.is_some())];
        return match given.into_iter().find(|(_, given)| *given) {
            None => Ok(description.parts()),
            Some((name, _)) => {
                Err(format!("--{name} applies only to the network mlp: remove it, or use --model mlp").into())
            }
        };
    }
    let named = |given: &Option<Description>, default: &str| {
        given.clone().unwrap_or_else(|| Description::new(default))
    };
    let (init, activation) = (named(init, "glorot_uniform"), named(activation, "relu"));
    // Built before the layers, so that a message is about the option, and only activations are taken.
    let _: Arc<dyn Initializer> = registry.build(&init)?;
    let _: AnyActivation<f32> = registry.build(&activation)?;
    let dense = |units: usize| {
        let zero = Description::new("constant").with("value", 0.0);
        Description::new("dense")
            .with("units", units)
            .with("weight_init", init.clone())
            .with("bias_init", zero)
    };
    let hidden = hidden.as_deref().unwrap_or(&[64, 64]);
    if hidden.contains(&0) {
        return Err("--hidden names a layer of 0 units, but each has a number of units of at least 1".into());
    }
    let hidden = hidden.iter().flat_map(|&units| [dense(units), activation.clone()]);
    Ok([Description::new("flatten")].into_iter().chain(hidden).chain([dense(10)]).collect())
}
