//! The `chainrule` program: trains on MNIST, lists what has a name, looks at data, draws schedules, and describes the
//! machine.

mod curve;
mod data;
mod doctor;
mod export;
mod import;
mod list;
mod parts;
mod progress;
mod report;
mod schedule;
mod svg_chart;
mod text_chart;
mod train_mnist;
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
    TrainMnist(Box<train_mnist::Arguments>),
    /// List the layers, losses, metrics, optimizers and all else that has a name, with settings and defaults.
    List(list::Arguments),
    /// Look at data: what a table holds.
    #[command(subcommand)]
    Data(data::Command),
    /// Draw a learning-rate schedule over the steps of a run.
    Schedule(schedule::Arguments),
    /// Write the weights of a model, or the model as an ONNX graph, for other libraries.
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
    match run(&command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            terminal::note(format_args!("error: {}", error_chain::text(&*error)));
            ExitCode::FAILURE
        }
    }
}

fn run(command: &Command) -> Result<(), Box<dyn Error>> {
    simd::check_level()?;
    match command {
        Command::TrainMnist(arguments) => train_mnist::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Data(command) => data::run(command),
        Command::Schedule(arguments) => schedule::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Doctor => doctor::run(),
    }
}
