//! The `chainrule` program: trains on MNIST, lists what has a name, looks at data, draws schedules, and describes the
//! machine.

mod checkpoint_interval;
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
mod list;
mod parts;
mod progress;
mod rate_chart;
mod recorder;
mod report;
mod report_page;
mod resume;
mod schedule;
mod svg_chart;
mod text_chart;
mod train_mnist;
mod training_page;
mod weight_file;

use std::error::Error;
use std::process::ExitCode;

use chainrule::tensor::{blas, simd};
use chainrule_cli::{error_chain, terminal};
use clap::{Parser, Subcommand};

/// Train neural networks on the CPU at the speed of its BLAS.
#[derive(Debug, Parser)]
#[command(name = "chainrule", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
    /// Show which BLAS and kernel are in use, how fast they are, and what could be improved.
    Doctor,
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    // First of all, since it may start the program again.
    if let Some(warning) = blas::use_best_kernel() {
        terminal::note(format_args!("warning: {warning}"));
    }
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            terminal::note(format_args!("error: {}", error_chain::text(&*error)));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode, Box<dyn Error>> {
    simd::check_level()?;
    match command {
        Command::TrainMnist(arguments) => return train_mnist::run(&with_those_of_checkpoint(*arguments)?),
        Command::List(arguments) => list::run(&arguments)?,
        Command::Data(command) => data::run(&command)?,
        Command::Schedule(arguments) => schedule::run(&arguments)?,
        Command::Report(arguments) => report_page::run(&arguments)?,
        Command::Export(arguments) => export::run(&arguments)?,
        Command::Import(arguments) => import::run(&arguments)?,
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
