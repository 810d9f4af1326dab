//! The `chainrule` program: trains on a person's data and on MNIST, lists what has a name, looks at data, draws schedules, and describes the
//! machine.

mod as_configuration;
mod compare;
mod completions;
mod configured;
mod curve;
mod data;
mod doctor;
mod export;
mod export_source;
mod find_rate;
mod forecast;
mod going_on;
mod import;
mod interrupt;
mod launch;
mod list;
mod model_graph;
mod output_files;
mod parts;
mod processes;
mod progress;
mod rate_chart;
mod recorder;
mod report;
mod report_page;
mod resume;
mod schedule;
mod score_table;
mod svg_chart;
mod text_chart;
mod trace;
mod train_mnist;
mod training_page;
mod watch;
mod weight_file;

use std::error::Error;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use chainrule::tensor::{NotingAllocator, blas, prepare_for_scarce_memory, simd};
use chainrule_cli::{error_chain, machine, terminal};
use clap::{ArgAction, CommandFactory, Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: NotingAllocator = NotingAllocator;

/// Train neural networks on the CPU at the speed of its BLAS.
#[derive(Debug, Parser)]
#[command(name = "chainrule", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Say what the program does, on standard error: -vv also of each epoch, -vvv of each step.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a configuration for data: a table, a folder of pictures for each class, or files as those of MNIST.
    Init(configured::init::Arguments),
    /// Train what a configuration describes, and save the model.
    Train(Box<configured::train::Arguments>),
    /// Go on with a training that was interrupted.
    Resume(Box<configured::resume::Arguments>),
    /// Train a configuration with several values of its keys, and say which were the best.
    Sweep(Box<configured::sweep::Arguments>),
    /// Show how a model does on data with targets.
    Evaluate(configured::evaluate::Arguments),
    /// Predict for a table, for pictures, or for files as those of MNIST: CSV or JSON, with probabilities.
    Predict(configured::predict::Arguments),
    /// Show the layers of a model or of a configuration, and what it predicts from what.
    Summary(configured::summary::Arguments),
    /// Train a network on the MNIST digits, evaluate it, and save it.
    #[command(args_override_self = true)]
    TrainMnist(Box<train_mnist::Arguments>),
    /// List the layers, losses, metrics, optimizers and all else that has a name, with settings and defaults.
    List(list::Arguments),
    /// Look at data: what a table holds.
    #[command(subcommand)]
    Data(data::Command),
    /// Draw a learning-rate schedule over the steps of a run.
    Schedule(schedule::Arguments),
    /// Make a page of the JSON report of a training: curves, confusion, settings.
    Report(report_page::Arguments),
    /// Write the weights of a model, or the model as an ONNX graph, a module of PyTorch, or one file of Rust or C.
    Export(export::Arguments),
    /// Make a model file of an ONNX graph, or of layers and the weights of another library.
    Import(import::Arguments),
    /// Train a model on random samples here and in another library, and show both side by side: losses, parameters, time.
    Compare(compare::Arguments),
    /// Write what a shell needs to complete the commands and options.
    Completions(completions::Arguments),
    /// Show which BLAS and kernel are in use, how fast they are, and what could be improved.
    Doctor,
}

impl Command {
    /// Whether it takes the time of matrix products.
    fn multiplies(&self) -> bool {
        match self {
            Self::Train(_) | Self::Resume(_) | Self::Sweep(_) | Self::TrainMnist(_) => true,
            Self::Evaluate(_) | Self::Predict(_) | Self::Export(_) | Self::Compare(_) | Self::Doctor => true,
            Self::Init(_) | Self::Summary(_) | Self::List(_) | Self::Data(_) | Self::Schedule(_) => false,
            Self::Report(_) | Self::Import(_) | Self::Completions(_) => false,
        }
    }
}

fn main() -> ExitCode {
    prepare_for_scarce_memory();
    let command = match Arguments::try_parse() {
        Ok(Arguments { command, verbose }) => {
            trace::begin(verbose);
            command
        }
        Err(error) => {
            processes::let_the_first_speak();
            if error.use_stderr() {
                error.exit();
            }
            return shown(error.print());
        }
    };
    if command.multiplies() {
        // First of all, since it may start the program again.
        let warning = blas::use_best_kernel();
        // Of several processes one says it, when it knows which it is.
        let says_itself = matches!(command, Command::TrainMnist(_));
        if let Some(warning) = warning
            && !says_itself
        {
            terminal::note(format_args!("warning: {warning}"));
        }
    }
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            processes::let_the_first_speak();
            terminal::note(format_args!("error: {}", error_chain::text(&*error)));
            ExitCode::FAILURE
        }
    }
}

/// The status after a help text was printed, which may not have been possible: to a full disk, for example.
fn shown(printed: io::Result<()>) -> ExitCode {
    match printed.and_then(|()| io::stdout().flush()) {
        // A reader that is gone has read what it wanted.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            terminal::note(format_args!("error: cannot write to standard output: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    simd::check_level()?;
    let blas::Blas { name, version, kernel, .. } = blas::Blas::current();
    tracing::info!(cores = machine::cores(), instructions = simd::level().name(), blas = %format_args!("{name} {version} {kernel}"), "the machine");
    match command {
        Command::TrainMnist(arguments) => return train_mnist::run(&with_those_of_checkpoint(*arguments)?),
        Command::Init(arguments) => configured::init::run(&arguments)?,
        Command::Train(arguments) => return configured::train::run(&arguments),
        Command::Resume(arguments) => return configured::resume::run(&arguments),
        Command::Sweep(arguments) => return configured::sweep::run(&arguments),
        Command::Evaluate(arguments) => configured::evaluate::run(&arguments)?,
        Command::Predict(arguments) => configured::predict::run(&arguments)?,
        Command::Summary(arguments) => configured::summary::run(&arguments)?,
        Command::List(arguments) => list::run(&arguments)?,
        Command::Data(command) => data::run(&command)?,
        Command::Schedule(arguments) => schedule::run(&arguments)?,
        Command::Report(arguments) => report_page::run(&arguments)?,
        Command::Export(arguments) => export::run(&arguments)?,
        Command::Import(arguments) => import::run(&arguments)?,
        Command::Compare(arguments) => return compare::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command())?,
        Command::Doctor => doctor::run()?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The arguments of a training, with those of the checkpoint that it goes on from.
fn with_those_of_checkpoint(given: train_mnist::Arguments) -> Result<train_mnist::Arguments, Box<dyn Error>> {
    let Some(path) = &given.resume else { return Ok(given) };
    let all = resume::arguments(path, std::env::args_os().collect())?;
    match Arguments::try_parse_from(all)?.command {
        Command::TrainMnist(arguments) => Ok(*arguments),
        _ => Ok(given),
    }
}
